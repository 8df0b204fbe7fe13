"""Listens on the port it is told, and prints it."""
import socket, sys

s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening on port", s.getsockname()[1])
while True:
    s.accept()
