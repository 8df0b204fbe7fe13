"""Listens on a port that nobody can choose, as simple servers do, without SO_REUSEADDR: fixed.py PORT [HOW]

share    lets others listen on the same port
closes   closes each connection first, so that the port lingers
reuse and closes   sets SO_REUSEADDR, so that this does not matter
"""
import socket, sys

port, how = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
s = socket.socket()
if how == "share":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
if how.startswith("reuse"):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", port))
s.listen()
while True:
    c, addr = s.accept()
    print("connected", flush=True)
    if not how.endswith("closes"):
        c.recv(1)
    c.close()
