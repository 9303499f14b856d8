"""
Starts a server in a terminal, and sends SIGHUP. `open`: then closes the terminal. `detached`: the server has the streams
of the terminal, but not the terminal.
"""
import os
import pty
import signal
import sys

mode, *command = sys.argv[1:]
command = [*command, "--port", "0"]
pid, terminal = pty.fork()
if pid == 0:
    server = os.fork() if mode == "detached" else 0
    if server == 0:
        if mode == "detached":
            os.setsid()
        os.execv(command[0], command)
    print("server", server, flush=True)
    os.waitpid(server, 0)
    os._exit(0)

seen = ""


def read_until(text):
    global seen
    while text not in seen:
        seen += os.read(terminal, 65536).decode()


read_until("API explorer")
server = int(seen.split("server ")[1].split()[0]) if mode == "detached" else pid
os.kill(server, signal.SIGHUP)
read_until("was read again")
print("read again")
if mode == "detached":
    os.kill(server, signal.SIGTERM)
else:
    os.close(terminal)
_, status = os.waitpid(pid, 0)
if os.WIFEXITED(status):
    print("ended with", os.WEXITSTATUS(status))
else:
    print("ended by signal", os.WTERMSIG(status))
