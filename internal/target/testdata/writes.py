"""Leaves a lock and other things where it runs, and does not start where a lock is: writes.py PORT"""
import os, socket, sys

if os.path.exists("lock"):
    sys.exit("somebody has left a lock here")
open("lock", "w").close()
os.makedirs("made/by the server")
with open("made/by the server/log", "w") as f:
    f.write("started\n")
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("runs in", os.getcwd(), flush=True)
while True:
    s.accept()
