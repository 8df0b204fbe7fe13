"""Listens on the port given, and sets SO_REUSEADDR."""
import socket, sys

s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    s.accept()
