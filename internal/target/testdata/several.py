"""Listens on two ports of its own, and not on the one it is told."""
import socket

s = [socket.create_server(("127.0.0.1", 0)) for i in range(2)]
while True:
    s[0].accept()
