"""Sends every datagram back to whom it came from.

Usage: python3 echo.py PORT
"""

import signal
import socket
import sys


# Not a handler of our own: Python would run it only when the main thread wakes up.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.SIG_DFL)

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", int(sys.argv[1])))
print(f"echo on port {sys.argv[1]}", flush=True)
while True:
    data, sender = sock.recvfrom(65536)
    try:
        sock.sendto(data, sender)
    except OSError:     # the sender has gone
        pass
