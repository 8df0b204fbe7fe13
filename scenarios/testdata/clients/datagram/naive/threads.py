# UDP chat client as handed in: a thread that receives.
#
# Usage: python3 threads.py SERVER PORT
#
# What is wrong with it:
#   U-7   receives at most 1024 bytes of a datagram
#   U-7   takes a text apart at blanks, so several become one, and those at the ends disappear
#   U-7   a datagram of fewer than three words, and one that is not UTF-8, kills the thread; nothing is shown any more
#   U-7   whatever comes is shown as if it were an INCOMING, from whomever
#   U-7   the prompt is not shown again after a message
#   -     control characters go to the terminal as they are; tracebacks at an interrupt and at the end of the input

import socket
import sys
import threading

server = (sys.argv[1], int(sys.argv[2]))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"GREETING", server)


def receive():
    while True:
        data, addr = s.recvfrom(1024)
        words = data.decode().split()
        print("<From %s:%s>: %s" % (words[1], words[2], " ".join(words[3:])), flush=True)


threading.Thread(target=receive, daemon=True).start()
while True:
    text = input("] ")
    s.sendto(("MESSAGE " + text).encode(), server)
