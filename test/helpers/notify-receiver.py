"""Receives what a service reports to systemd: python3 notify-receiver.py <path of the socket>

Prints `receives`, and then a line for each message: the time of the system's monotonic clock in ms, and the message.
Ends at the end of standard input.
"""

import select
import socket
import sys
import time

receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print("receives", flush=True)
while True:
    ready, _, _ = select.select([receiver, sys.stdin], [], [])
    if receiver not in ready:
        break
    # Descriptors that come with a message are closed. systemd-notify waits for that.
    text = receiver.recv(4096).decode()
    if text != "BARRIER=1":
        print(time.monotonic() * 1000, text.strip().replace("\n", " "), flush=True)
