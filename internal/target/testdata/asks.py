"""Asks for its port, and repeats what is typed after that."""
import socket, sys

s = socket.create_server(("127.0.0.1", int(input("which port? "))))
for line in sys.stdin:
    print("typed:", line.strip(), flush=True)
