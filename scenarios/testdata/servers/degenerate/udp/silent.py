"""Takes every datagram and never answers.

Usage: python3 silent.py PORT
"""

import signal
import socket
import sys


# Not a handler of our own: Python would run it only when the main thread wakes up.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.SIG_DFL)

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", int(sys.argv[1])))
print(f"silent on port {sys.argv[1]}", flush=True)
while True:
    sock.recvfrom(65536)
