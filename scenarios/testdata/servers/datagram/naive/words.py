# Chat server for UDP as handed in: a thread that receives, messages as lists of words.
#
# Usage: python3 words.py PORT
#
# What is wrong with it:
#   U-2   a greeting in any case, or with more words after it, is one
#   U-3   several blanks in a text become one, and white space at its ends disappears
#   U-3   a line break in a text becomes a blank
#   U-4   anything else is answered
#   U-4   message in lower case, or with a tab after it, is MESSAGE too
#   U-4   a datagram without a word in it kills the thread that receives (IndexError), and so does one that is not
#         UTF-8; the process stays, and nobody is served any more
#   U-6   the clients after the first 50 are ignored
#   U-9   what does not fit into 4096 bytes is cut, and a character that the cut divides kills the thread, as does
#         any text that is not UTF-8
#
# Right: second greetings, the sender receives its message too, clients that have gone, whoever has not greeted is
# ignored, empty texts.

import signal
import socket
import sys
import threading
import time

MAX_CLIENTS = 50

signal.signal(signal.SIGINT, signal.SIG_DFL)

clients = []
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", int(sys.argv[1])))


def receive():
    while True:
        data, addr = s.recvfrom(4096)
        words = data.decode().split()
        command = words[0].upper()
        if command == "GREETING":
            if addr not in clients and len(clients) < MAX_CLIENTS:
                clients.append(addr)
        elif command == "MESSAGE":
            if addr in clients:
                answer = "INCOMING " + addr[0] + " " + str(addr[1]) + " " + " ".join(words[1:])
                for client in clients:
                    s.sendto(answer.encode(), client)
        else:
            s.sendto(b"Unknown command", addr)


threading.Thread(target=receive, daemon=True).start()
print("Server Initialized...", flush=True)
while True:
    time.sleep(1)
