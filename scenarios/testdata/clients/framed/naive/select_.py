#!/usr/bin/env python3
# Chat client as handed in: select on the keyboard and the socket.
#
# Usage: python3 select_.py HOST PORT USER
#
# What is wrong with it:
#   F-8   reads a header with recv(6) and name and text with one recv() each, so what comes in pieces is torn
#   F-8   readline() reads ahead what select() does not see then: of two lines typed at once the second is sent only
#         when a third one comes
#   F-8   the end of the input is a line like any other: it sends empty messages as fast as it can, for ever
#   F-8   dies of a text that is not UTF-8, and of a reset
#   -     strips what is typed; control characters go to the terminal as they are; traceback at an interrupt
#
# Right: lengths in bytes, several messages in one segment, close and refused connection are told.

import select
import socket
import struct
import sys

host, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
sock = socket.socket()
try:
    sock.connect((host, port))
except ConnectionRefusedError:
    print("Unable to connect to the server")
    sys.exit(1)


def send_msg(text):
    msg = text.encode()
    sock.sendall(struct.pack(">HI", len(name), len(msg)) + name + msg)


send_msg("")
print("Connected. Start typing.", flush=True)
while True:
    readable, _, _ = select.select([sys.stdin, sock], [], [])
    for r in readable:
        if r is sock:
            header = sock.recv(6)
            if not header:
                print("Disconnected from chat server")
                sys.exit()
            n, m = struct.unpack(">HI", header)
            user = sock.recv(n).decode()
            text = sock.recv(m).decode() if m else ""
            print("[" + user + "] " + text, flush=True)
        else:
            send_msg(sys.stdin.readline().strip())
