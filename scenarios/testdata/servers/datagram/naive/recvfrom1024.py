# Chat server for UDP as handed in: one loop, recvfrom(1024).
#
# Usage: python3 recvfrom1024.py PORT
#
# What is wrong with it:
#   U-2   a second greeting is appended to the list again: that client receives everything twice
#   U-2   whatever begins with GREETING is one, also GREETINGS
#   U-4   whatever has no blank in it, apart from a greeting, kills the server (ValueError), and so does anything that
#         is not UTF-8
#   U-4   any first word is taken for MESSAGE, as long as it is not GREETING
#   U-8   a message from an address that has not greeted is distributed
#   U-9   what does not fit into 1024 bytes is cut, and a character that the cut divides kills the server
#   U-3   white space at both ends of a text is removed
#
# Right: the sender receives its message too, many clients, clients that have gone.

import signal
import socket
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", int(sys.argv[1])))
print("Server Initialized...", flush=True)

clients = []

while True:
    data, addr = s.recvfrom(1024)
    data = data.decode()
    if data.startswith("GREETING"):
        clients.append(addr)
    else:
        command, text = data.split(" ", 1)
        text = text.strip()
        for client in clients:
            s.sendto(f"INCOMING {addr[0]} {addr[1]} {text}".encode(), client)
