"""Echoes to the screen what is typed, and to the server what comes from it. [--udp] and the arguments of any client."""

import os
import select
import sys

sys.dont_write_bytecode = True
from address import connect


def send(sock, data):
    try:
        sock.send(data)
    except OSError:
        pass


sock = connect()
sources = [0, sock]
while sources:
    for source in select.select(sources, [], [])[0]:
        if source == 0:
            data = os.read(0, 65536)
            os.write(1, data)
        else:
            try:
                data = sock.recv(65536)
            except OSError:
                data = b""
            send(sock, data)
        if not data and (source == 0 or "--udp" not in sys.argv):
            sources.remove(source)
