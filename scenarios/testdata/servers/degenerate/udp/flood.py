"""Sends to everybody who has sent something as fast as it can, for ever.

Usage: python3 flood.py PORT

What comes is thrown away. The socket does not block, so that it ends at a signal however busy it is.
"""

import select
import signal
import socket
import sys

CHUNK = b"flood " * 200
MOST_CLIENTS = 100      # nobody more is sent anything


# Not a handler of our own: Python would run it only when the main thread wakes up.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.SIG_DFL)

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", int(sys.argv[1])))
sock.setblocking(False)
clients = set()
print(f"flood on port {sys.argv[1]}", flush=True)
while True:
    # Without clients there is nobody to flood, and nothing to do but wait.
    readable, _, _ = select.select([sock], [], [], 0 if clients else None)
    if readable:
        try:
            _, sender = sock.recvfrom(65536)
            if len(clients) < MOST_CLIENTS:
                clients.add(sender)
        except OSError:     # somebody has gone
            pass
    for client in clients:
        try:
            sock.sendto(CHUNK, client)
        except OSError:
            pass
