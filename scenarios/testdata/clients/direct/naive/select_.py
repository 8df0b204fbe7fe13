#!/usr/bin/env python3
# Chatroom client as handed in: select, one packet for each recv().
#
# Usage: python3 select_.py HOST PORT
#
# What is wrong with it:
#   D-10  a name of 20 characters is refused (>= 20)
#   D-10  Bad Username, Bad Message and Invalid Command are not the words that are asked for
#   D-10  sendto without a text says Bad Message
#   D-10  strips the text
#   D-10  after logout it exits
#   D-11  prints Success for a LIST too
#   D-11  a packet in pieces is torn; of two packets in one segment the second is lost
#   D-11  a text of more than 2048 bytes is cut, and its rest is taken for packets
#   -     the end of the input is an empty line, again and again (Invalid Command for ever); of several lines that were
#         typed at once the later ones wait; dies of bytes that are not UTF-8
#
# Right: says when the server has closed or is not there, and ends.

import select
import socket
import sys

s = socket.socket()
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
except OSError as e:
    sys.exit("Connection failed: " + str(e))


def pack(name):
    return bytes([len(name.encode())]) + name.encode()


def command(line):
    parts = line.strip().split(" ", 2)
    cmd = parts[0]
    if cmd == "login":
        if len(parts) != 2 or len(parts[1]) >= 20:
            print("Bad Username")
        else:
            s.sendall(b"\x01" + pack(parts[1]))
    elif cmd == "sendto":
        if len(parts) < 2 or len(parts[1]) >= 20:
            print("Bad Username")
        elif len(parts) < 3 or len(parts[2].encode()) > 65535:
            print("Bad Message")
        else:
            text = parts[2].encode()
            s.sendall(b"\x03" + pack(parts[1]) + len(text).to_bytes(2, "big") + text)
    elif cmd == "list" and len(parts) == 1:
        s.sendall(b"\x02")
    elif cmd == "logout" and len(parts) == 1:
        s.sendall(b"\x04")
        sys.exit()
    elif cmd == "exit" and len(parts) == 1:
        sys.exit()
    else:
        print("Invalid Command")


def packet(data):
    if data[0] == 5:
        print("Success")
        i = 3
        while i < len(data):
            print(" -", data[i + 1:i + 1 + data[i]].decode())
            i += 1 + data[i]
    elif data[0] == 6:
        print(["Success", "Failure", "Malformed"][data[1]])
    elif data[0] == 7:
        n = data[1]
        print(data[2:2 + n].decode() + ": " + data[4 + n:].decode())


while True:
    for r in select.select([s, sys.stdin], [], [])[0]:
        if r is sys.stdin:
            command(sys.stdin.readline())
        else:
            data = s.recv(2048)
            if not data:
                print("Server closed the connection")
                sys.exit(1)
            packet(data)
        sys.stdout.flush()
