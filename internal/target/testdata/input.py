"""Ends when its input ends."""
import socket, sys

s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
sys.stdin.read()
print("no more input")
