"""Restarts a server like a supervisor that has opened its sockets: python3 supervisor.py <command> …

Prints the ports of two listening sockets, one for HTTP and one for Philote. Each line on standard input restarts the
server; the end of input stops it.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys

COMMAND = sys.argv[1:]
PR_SET_PDEATHSIG = 1


def listening_socket():
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    found.listen(4096)
    return found


def prepare():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The copies that the server gets stay open when it is executed.
    for number, opened in enumerate(SOCKETS):
        os.dup2(opened.fileno(), 3 + number)


def start():
    env = {**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:philote"}
    # `prepare` cannot change the environment of the command itself. So a shell, which keeps the process, says its own id.
    script = 'LISTEN_PID=$$ exec "$@"'
    return subprocess.Popen(
        ["sh", "-c", script, "sh", *COMMAND], preexec_fn=prepare, pass_fds=(3, 4), env=env
    )


# Above the numbers that the server gets.
SPARE = [os.open("/dev/null", os.O_RDONLY) for _ in range(4)]
SOCKETS = [listening_socket(), listening_socket()]
print("ports", *(opened.getsockname()[1] for opened in SOCKETS), flush=True)
server = start()
for _ in sys.stdin:
    server.send_signal(signal.SIGTERM)
    print("ended", server.wait(), flush=True)
    server = start()
server.send_signal(signal.SIGTERM)
sys.exit(server.wait())
