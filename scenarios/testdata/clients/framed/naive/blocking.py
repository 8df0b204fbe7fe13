# Chat client as handed in: input(), send, receive, and again.
#
# Usage: python3 blocking.py HOST PORT USER
#
# What is wrong with it:
#   F-8   it looks at the socket only after a line was typed, and waits there half a second: what comes while nobody
#         types is not shown before the next line
#   F-8   shows what one recv(4096) returned, header and all that came together with it, as one line
#   F-8   ends at an empty line and at the word quit
#   F-8   the end of the connection is an empty text; it goes on until sending fails
#   -     bytes that are not UTF-8 are left out; traceback when there is no server, at an interrupt

import socket
import sys

host = sys.argv[1]
port = int(sys.argv[2])
user = sys.argv[3]
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect((host, port))
client.settimeout(0.5)


def make(text):
    u = user.encode()
    t = text.encode()
    return len(u).to_bytes(2, "big") + len(t).to_bytes(4, "big") + u + t


client.send(make(""))
while True:
    try:
        message = input("> ")
    except EOFError:
        break
    if message == "" or message == "quit":
        break
    client.send(make(message))
    try:
        print(client.recv(4096)[6:].decode(errors="ignore"))
    except socket.timeout:
        pass
client.close()
print("Bye")
