"""Chat server for UDP: one loop that receives a datagram, handles it, and receives the next.

Usage: python3 loop.py PORT
"""

import signal
import socket
import sys


def main():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
    sock.bind(("127.0.0.1", int(sys.argv[1])))
    print("Server Initialized...", flush=True)

    active = {}     # addresses, in the order of their greetings
    while True:
        try:
            datagram, sender = sock.recvfrom(65536)
        except OSError:
            continue            # an ICMP error; which client it is about does not matter
        if datagram == b"GREETING":
            active[sender] = True
        elif datagram.startswith(b"MESSAGE ") and sender in active:
            ip, port = sender
            incoming = b"INCOMING %s %d %s" % (ip.encode(), port, datagram[len(b"MESSAGE "):])
            for address in active:
                try:
                    sock.sendto(incoming, address)
                except OSError:
                    pass        # too long, or that client has gone


if __name__ == "__main__":
    main()
