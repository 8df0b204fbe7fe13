# Chat client as handed in: a thread that receives, and one recv(1024) is one message.
#
# Usage: python3 threads.py USER chat://HOST:PORT
#
# What is wrong with it:
#   L-2   traceback at a wrong address and when there is no server
#   L-6   what comes in pieces is shown in pieces, a line each; a long text so too; blanks at both ends are stripped
#   L-6   dies of text that is not UTF-8 or of half a character: the thread ends and nothing more is shown
#   L-7   at the end of the input: a traceback (EOFError), and no DISCONNECT
#   L-8   obeys DISCONNECT anywhere inside a text
#   L-8   when the server closes without a word the thread prints empty lines for ever
#   -     400 and 401 are shown, and the client goes on; control characters go to the terminal as they are
#
# Right: says DISCONNECT at an interrupt.

import os
import socket
import sys
import threading

user = sys.argv[1]
address = sys.argv[2][len("chat://"):].split(":")
sock = socket.socket()
sock.connect((address[0], int(address[1])))
sock.send(f"REGISTER {user} CHAT/1.0\n".encode())


def receive():
    while True:
        message = sock.recv(1024).decode()
        if "DISCONNECT" in message:
            print("Server has shut down", flush=True)
            os._exit(0)
        print(message.strip(), flush=True)


threading.Thread(target=receive, daemon=True).start()
try:
    while True:
        text = input()
        sock.send(f"@{user}: {text}\n".encode())
except KeyboardInterrupt:
    sock.send(f"DISCONNECT {user} CHAT/1.0\n".encode())
    sock.close()
    print("Goodbye")
