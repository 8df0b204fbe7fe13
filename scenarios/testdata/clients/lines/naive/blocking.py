# Chat client as handed in: one loop, the socket without blocking, looked at after each line that is typed.
#
# Usage: python3 blocking.py USER chat://HOST:PORT
#
# What is wrong with it:
#   L-6   what comes is shown only after the next line was typed
#   L-6   shows at most 2048 bytes of it
#   L-7   says DISCONNECT only when exit is typed, not at an interrupt and not at the end of the input
#   L-8   sees DISCONNECT only after a line was typed, and only if it came alone
#   -     400 and 401 are not looked at; tracebacks when there is no server, at an interrupt, at the end of the input

import socket
import sys

name = sys.argv[1]
host, port = sys.argv[2].replace("chat://", "").split(":")
s = socket.socket()
s.connect((host, int(port)))
s.send(("REGISTER " + name + " CHAT/1.0\n").encode())
print(s.recv(2048).decode())
s.setblocking(False)
while True:
    text = input("@" + name + ": ")
    if text == "exit":
        s.send(("DISCONNECT " + name + " CHAT/1.0\n").encode())
        break
    s.send(("@" + name + ": " + text + "\n").encode())
    try:
        data = s.recv(2048).decode()
        if data.strip() == "DISCONNECT CHAT/1.0":
            print("server stopped")
            break
        print(data)
    except BlockingIOError:
        pass
s.close()
