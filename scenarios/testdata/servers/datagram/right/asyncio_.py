"""Chat server for UDP: asyncio, and where the machine has IPv6 one socket for both kinds of addresses.

Usage: python3 asyncio_.py PORT

On such a socket 127.0.0.1 looks like ::ffff:127.0.0.1; clients are known, and shown, by the address that they have
themselves. An IPv6 address stands in brackets. Only this machine is served: what comes from elsewhere is ignored.

Where the assignment leaves it open: whoever sends a message without having greeted is ignored.
"""

import asyncio
import ipaddress
import signal
import socket
import sys


def unmapped(host):
    address = ipaddress.ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


class Chat(asyncio.DatagramProtocol):
    def __init__(self):
        self.active = {}        # (address, port) -> where to send

    def connection_made(self, transport):
        self.transport = transport
        print("Server Initialized...", flush=True)

    def datagram_received(self, data, where):
        client = unmapped(where[0]), where[1]
        if not client[0].is_loopback:
            return
        if data == b"GREETING":
            self.active.setdefault(client, where)
            return
        word, blank, text = data.partition(b" ")
        if word == b"MESSAGE" and blank and client in self.active:
            incoming = self.head(*client) + text
            for place in self.active.values():
                self.transport.sendto(incoming, place)

    def head(self, address, port):
        shown = f"[{address}]" if address.version == 6 else f"{address}"
        return f"INCOMING {shown} {port} ".encode()

    def error_received(self, error):
        """Somebody has gone, or a text was too long for an answer. Nobody else is concerned."""


def listen(port):
    try:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", port))
    except OSError:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", port))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    sock.setblocking(False)
    return sock


async def main():
    await asyncio.get_running_loop().create_datagram_endpoint(Chat, sock=listen(int(sys.argv[1])))
    await asyncio.Event().wait()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(main())
