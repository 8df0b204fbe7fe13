# Chat client as handed in: a thread that receives, recv(1024) is a message.
#
# Usage: python3 threads.py HOST PORT USER
#
# What is wrong with it:
#   F-8   a message that comes in pieces is shown in pieces or kills the thread (struct.error), and of two messages in
#         one segment the second is taken for a part of the first or lost
#   F-8   a text of more than 1018 bytes is cut
#   F-8   counts characters and not bytes in what it sends
#   F-8   a text that is not UTF-8 kills the thread; the program stays and shows nothing more
#   F-8   when the server closes, the thread dies of an empty header, and the user is told by a traceback
#   F-8   traceback when there is no server, at an interrupt and at the end of the input
#   -     control characters go to the terminal as they are

import socket
import struct
import sys
import threading

s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect((sys.argv[1], int(sys.argv[2])))
username = sys.argv[3]


def send(message):
    s.send(struct.pack("!HI", len(username), len(message)) + username.encode() + message.encode())


def receive():
    while True:
        data = s.recv(1024)
        ulen, mlen = struct.unpack("!HI", data[:6])
        user = data[6:6 + ulen].decode()
        message = data[6 + ulen:6 + ulen + mlen].decode()
        print(user + ": " + message)


send("")
threading.Thread(target=receive, daemon=True).start()
while True:
    send(input())
