"""Where other programs of this folder find the server in their arguments: HOST PORT [USER], or USER chat://HOST:PORT.
With --udp in front, connect() gives a UDP socket."""

import re
import signal
import socket
import sys


def connect():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    arguments = sys.argv[1:]
    kind = socket.SOCK_STREAM
    if arguments[0] == "--udp":
        kind = socket.SOCK_DGRAM
        del arguments[0]
    match = re.match(r"chat://(.+):(\d+)", arguments[-1])
    host, port = (match[1], match[2]) if match else arguments[:2]
    sock = socket.socket(socket.AF_INET, kind)
    sock.connect((host, int(port)))
    return sock
