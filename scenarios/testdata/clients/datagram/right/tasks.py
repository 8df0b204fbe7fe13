"""UDP chat with asyncio: a datagram protocol and a thread that reads the keyboard.

    python3 tasks.py HOST PORT
"""

import asyncio
import os
import signal
import sys
import threading


class Chat(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        transport.sendto(b"GREETING")

    def datagram_received(self, data, address):
        parts = data.split(b" ", 3)
        if len(parts) == 4 and parts[0] == b"INCOMING" and parts[2].isdigit():
            _, ip, port, text = (escaped(p) for p in parts)
            print(f"\r<From {ip}:{port}>: {text}\n] ", end="", flush=True)

    def error_received(self, error):
        """ICMP. To be ignored."""


def escaped(data):
    text = data.decode("utf-8", "replace")
    return "".join(chr(0x2400 + ord(c)) if c < " " else "\u2421" if "\x7f" <= c <= "\x9f" else c for c in text)


def keyboard(loop, lines):
    rest = b""
    while data := os.read(0, 65536):
        *complete, rest = (rest + data).split(b"\n")
        for line in complete:
            loop.call_soon_threadsafe(lines.put_nowait, line)
    if rest:
        loop.call_soon_threadsafe(lines.put_nowait, rest)
    loop.call_soon_threadsafe(lines.put_nowait, None)


async def main(host, port):
    loop, lines = asyncio.get_running_loop(), asyncio.Queue()
    transport, _ = await loop.create_datagram_endpoint(Chat, remote_addr=(host, port))
    for number in signal.SIGINT, signal.SIGTERM:
        loop.add_signal_handler(number, lines.put_nowait, None)
    threading.Thread(target=keyboard, args=(loop, lines), daemon=True).start()
    print("] ", end="", flush=True)
    while (line := await lines.get()) is not None:
        transport.sendto(b"MESSAGE " + line)
        print("] ", end="", flush=True)
    transport.close()
    print()


if len(sys.argv) != 3 or not sys.argv[2].isdigit():
    sys.exit("usage: python3 tasks.py HOST PORT")
sys.stdout.reconfigure(encoding="utf-8", errors="replace")
try:
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
except (OSError, OverflowError) as e:
    sys.exit(f"cannot talk to {sys.argv[1]} port {sys.argv[2]}: {e}")
