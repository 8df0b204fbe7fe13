# UDP chat client as handed in: type a message, wait for it to come back, type the next.
#
# Usage: python3 blocking.py SERVER PORT
#
# What is wrong with it:
#   U-7   does not read keyboard and socket at the same time: what others say is shown only after a line was typed, one
#         message for each line, and so its own messages come later and later
#   U-7   when nothing comes back it waits two seconds, in which nothing can be sent
#   U-7   shows the address of the server instead of the one in the datagram
#   U-7   receives at most 2048 bytes
#   U-7   an empty line ends it
#   -     datagrams that are not UTF-8 are fatal; control characters go to the terminal as they are
#
# Right: ends at the end of the input and at an interrupt; greets at once.

import socket
import sys

host = sys.argv[1]
port = int(sys.argv[2])
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(2)
client.sendto(b"GREETING", (host, port))
try:
    while True:
        message = input("] ")
        if not message:
            break
        client.sendto(b"MESSAGE " + message.encode(), (host, port))
        try:
            data, address = client.recvfrom(2048)
            parts = data.decode().split(" ", 3)
            if parts[0] == "INCOMING":
                print(f"<From {address[0]}:{address[1]}>: {parts[3]}")
        except socket.timeout:
            print("Server is not answering")
except (EOFError, KeyboardInterrupt):
    print("Bye")
