"""Picks a port of its own and prints it."""
import socket

s = socket.create_server(("127.0.0.1", 0))
print("port", s.getsockname()[1])
while True:
    s.accept()
