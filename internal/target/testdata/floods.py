"""Prints 20 MB, listens, and says so."""
import socket, sys

sys.stdout.write("first line\n")
for i in range(20):
    sys.stdout.write("x" * 999_999 + "\n")
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
sys.stderr.write("last line\n")
while True:
    s.accept()
