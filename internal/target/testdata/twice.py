"""Binds its port twice, by mistake."""
import socket, sys

s = [socket.socket(), socket.socket()]
for each in s:
    each.bind(("127.0.0.1", int(sys.argv[1])))
