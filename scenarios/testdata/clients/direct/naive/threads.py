# Chatroom client as handed in: a thread that receives.
#
# Usage: python3 threads.py HOST PORT
#
# What is wrong with it:
#   D-10  login without a name is a traceback (IndexError), and so is sendto without one
#   D-10  sendto with a name and no text sends an empty text
#   D-10  sendto does not look how long the name is
#   D-10  the texts of sendto are put together from words: several blanks become one
#   D-10  lengths in characters
#   D-10  text of more than 65535 characters is a traceback (struct.error)
#   D-10  list, logout and exit with parameters are carried out
#   D-11  takes what one recv(4096) returns for one packet: pieces kill the thread, and what comes behind is lost
#   D-11  logs out at exit before it closes
#   -     prints nothing when the server closes: the thread dies of it (IndexError); control characters are printed raw;
#         tracebacks when there is no server, at an interrupt and at the end of the input

import socket
import struct
import sys
import threading

sock = socket.socket()
sock.connect((sys.argv[1], int(sys.argv[2])))


def receiver():
    while True:
        data = sock.recv(4096)
        if data[0] == 6:
            print("Success" if data[1] == 0 else "Failure", flush=True)
        elif data[0] == 5:
            count = data[1] * 256 + data[2]
            pos = 3
            for i in range(count):
                n = data[pos]
                print(data[pos + 1:pos + 1 + n].decode(), flush=True)
                pos += 1 + n
        elif data[0] == 7:
            n = data[1]
            user = data[2:2 + n].decode()
            text = data[4 + n:].decode()
            print(user + ": " + text, flush=True)


threading.Thread(target=receiver, daemon=True).start()
while True:
    words = input("Enter command: ").split()
    if len(words) == 0:
        continue
    if words[0] == "login":
        if len(words) > 2 or len(words[1]) > 20:
            print("Bad username")
            continue
        sock.send(struct.pack("!BB", 1, len(words[1])) + words[1].encode())
    elif words[0] == "list":
        sock.send(b"\x02")
    elif words[0] == "sendto":
        text = " ".join(words[2:])
        head = struct.pack("!BB", 3, len(words[1])) + words[1].encode()
        sock.send(head + struct.pack("!H", len(text)) + text.encode())
    elif words[0] == "logout":
        sock.send(b"\x04")
    elif words[0] == "exit":
        sock.send(b"\x04")
        sock.close()
        break
    else:
        print("Invalid command")
