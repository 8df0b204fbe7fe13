#!/usr/bin/env python3
# UDP chat client as handed in: select on stdin and the socket.
#
# Usage: python3 select_.py SERVER PORT
#
# What is wrong with it:
#   U-7   sends the line end as a part of the text
#   U-7   readline() reads ahead: of several lines typed at once the later ones wait for the next
#   U-7   at the end of the input it sends empty messages as fast as it can, for ever
#   U-7   splits at every blank and shows only the first word of a text
#   U-7   dies of anything that is no INCOMING (ValueError)
#   U-4   the socket is connected, so it dies of an ICMP error (ConnectionRefusedError)
#   -     control characters go to the terminal as they are; traceback at an interrupt
#
# Right: prompt, greeting, both inputs at the same time, datagrams of any length.

import select
import socket
import sys

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect((sys.argv[1], int(sys.argv[2])))
sock.send("GREETING".encode())


def prompt():
    sys.stdout.write("] ")
    sys.stdout.flush()


prompt()
while True:
    readable, writable, errors = select.select([sys.stdin, sock], [], [])
    for source in readable:
        if source == sock:
            kind, ip, port, message = sock.recv(65536).decode("utf-8", "ignore").split(" ")[:4]
            sys.stdout.write("\n<From " + ip + ":" + port + ">: " + message + "\n")
        else:
            sock.send(("MESSAGE " + sys.stdin.readline()).encode())
        prompt()
