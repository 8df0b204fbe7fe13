# Prints the lines that are typed, until it is told to stop reading.
import socket
import sys
import time

s = socket.socket()
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
for line in sys.stdin:
    print("<" + line.rstrip("\n") + ">", flush=True)
    if line.startswith("stop"):
        time.sleep(60)
