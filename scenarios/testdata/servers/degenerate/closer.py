"""Accepts everybody and closes at once.

Usage: python3 closer.py PORT
"""

import signal
import socket
import sys


# Not a handler of our own: Python would run it only when the main thread wakes up.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.SIG_DFL)

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(256)
print(f"closer on port {sys.argv[1]}", flush=True)
while True:
    try:
        listener.accept()[0].close()
    except OSError:
        pass
