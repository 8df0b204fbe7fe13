"""Tries to listen on the port given, and then writes a line into a file: as many lines as starts. It is what many a first
server is: it closes first, and it has not set SO_REUSEADDR. With a third argument it ends by itself instead."""
import socket, sys

s = socket.socket()
try:
    if len(sys.argv) > 3:
        sys.exit(sys.argv[3])
    s.bind(("127.0.0.1", int(sys.argv[1])))
    s.listen()
finally:
    with open(sys.argv[2], "a") as f:
        f.write("started\n")
while True:
    c, addr = s.accept()
    c.sendall(b"goodbye\n")
    c.close()
