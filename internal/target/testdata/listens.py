"""Listens on the port and address given, after as many seconds as given."""
import socket, sys, time

port = int(sys.argv[1])
host = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
if len(sys.argv) > 3:
    time.sleep(float(sys.argv[3]))
s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
if host == "::1":
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s.bind((host, port))
s.listen()
while True:
    c, addr = s.accept()
    print("connected", flush=True)
    c.close()
