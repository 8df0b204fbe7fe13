"""Sends to every client as fast as it can, for ever.

Usage: python3 flood.py PORT

Input is thrown away. One loop over non-blocking sockets, so that it ends at a signal however busy it is.
"""

import selectors
import signal
import socket
import sys

CHUNK = b"flood " * 10000


# Not a handler of our own: Python would run it only when the main thread wakes up.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.SIG_DFL)

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(256)
listener.setblocking(False)
selector = selectors.DefaultSelector()
selector.register(listener, selectors.EVENT_READ)
print(f"flood on port {sys.argv[1]}", flush=True)
while True:
    for key, events in selector.select():
        sock = key.fileobj
        try:
            if sock is listener:
                client, _ = listener.accept()
                client.setblocking(False)
                selector.register(client, selectors.EVENT_READ | selectors.EVENT_WRITE)
                continue
            if events & selectors.EVENT_READ and not sock.recv(65536):
                raise ConnectionError("closed")
            if events & selectors.EVENT_WRITE:
                sock.send(CHUNK)
        except BlockingIOError:
            pass
        except OSError:
            if sock is not listener:
                selector.unregister(sock)
                sock.close()
