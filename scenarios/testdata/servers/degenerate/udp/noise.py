"""Sends random bytes for ever to everybody who has sent something, and more of them upon any datagram.

Usage: python3 noise.py PORT [SEED]

The pace is moderate: a datagram of up to 64 bytes about every 20 ms to each client. With the same seed and the same
order of events the bytes are the same.
"""

import random
import signal
import socket
import sys

MOST_CLIENTS = 1000     # nobody more is sent anything


def main(port, seed):
    rng = random.Random(seed)
    clients = {}        # addresses, in the order of their first datagrams
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", port))
    sock.settimeout(0.02)
    print(f"noise on port {port}", flush=True)
    while True:
        try:
            _, sender = sock.recvfrom(65536)
            if len(clients) < MOST_CLIENTS:
                clients[sender] = True
        except OSError:     # nothing came for a while, or somebody has gone
            pass
        for client in clients:
            try:
                sock.sendto(rng.randbytes(rng.randint(1, 64)), client)
            except OSError:
                pass


# Not a handler of our own: Python would run it only when the main thread wakes up.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.SIG_DFL)
main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
