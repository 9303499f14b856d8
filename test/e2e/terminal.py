"""Starts a server in a terminal, sends SIGHUP, then closes the terminal."""
import os
import pty
import signal
import sys

pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [*sys.argv[1:], "--port", "0"])


def read_until(text):
    seen = b""
    while text not in seen:
        seen += os.read(terminal, 65536)


read_until(b"API explorer")
os.kill(pid, signal.SIGHUP)
read_until(b"was read again")
print("read again")
os.close(terminal)
_, status = os.waitpid(pid, 0)
if os.WIFEXITED(status):
    print("ended with", os.WEXITSTATUS(status))
else:
    print("ended by signal", os.WTERMSIG(status))
