"""UDP chat client whose prompt stays at the bottom: redraw.py HOST PORT

At a terminal the keys are read one by one, so that a message can be shown above the line that is half typed.
"""

import os
import re
import selectors
import signal
import socket
import sys
import termios
import time
import tty

MESSAGE = re.compile(r"INCOMING (\[[^\] ]*\]|[^ ]+) ([0-9]{1,5}) (.*)", re.DOTALL)
terminal = os.isatty(0) and os.isatty(1)


def put(text):
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


class Input:
    """Bytes that were typed, as far as the line is not complete. A character may still lack its last bytes."""

    def __init__(self):
        self.line = bytearray()

    def redraw(self):
        if terminal:
            width = max(20, os.get_terminal_size(1).columns) - 4
            put("\r\x1b[K] " + self.line.decode("utf-8", "ignore").replace("\t", " ")[-width:])

    def feed(self, data):
        """The lines that data completes, and whether the user has said that it is the end."""
        lines, ended = [], not data
        for byte in data:
            if byte == 10 or terminal and byte == 13:
                lines.append(bytes(self.line))
                self.redraw()
                if terminal:
                    put("\n")
                self.line.clear()
            elif not terminal:
                self.line.append(byte)
            elif byte in (8, 127):
                while self.line and self.line.pop() & 0xC0 == 0x80:
                    pass
            elif byte == 21:
                self.line.clear()
            elif byte == 4:
                ended = ended or not self.line
            elif byte >= 32 or byte == 9:
                self.line.append(byte)
        if ended and self.line:
            lines.append(bytes(self.line))
            self.line.clear()
        self.redraw()
        return lines, ended


def shown(datagram):
    match = MESSAGE.fullmatch(datagram.decode("utf-8", "replace"))
    if not match:
        return ""
    line = "<From %s:%s>: %s" % match.groups()
    return re.sub("[\x00-\x1f\x7f-\x9f]", lambda c: f"[{ord(c[0]):02x}]", line)


def chat(sock, typing):
    selector = selectors.DefaultSelector()
    selector.register(sock, selectors.EVENT_READ)
    try:
        selector.register(0, selectors.EVENT_READ)
        keyboard_file = False
    except PermissionError:         # a file is always ready, and epoll does not know that
        keyboard_file = True
    until = None
    send(sock, b"GREETING")
    typing.redraw()
    while until is None or time.monotonic() < until:
        events = selector.select(0 if keyboard_file else until and max(0, until - time.monotonic()))
        ready = [key.fd for key, _ in events]
        if sock.fileno() in ready:
            try:
                line = shown(sock.recv(65536))
            except OSError:
                line = ""           # ICMP errors are ignored
            if line:
                put(("\r\x1b[K" if terminal else "") + line + "\n")
                typing.redraw()
        if 0 in ready or keyboard_file:
            lines, ended = typing.feed(os.read(0, 4096))
            for line in lines:
                send(sock, b"MESSAGE " + line)
            if ended:
                until = time.monotonic() + (0 if terminal else 0.25)
                if not keyboard_file:
                    selector.unregister(0)
                keyboard_file = False


def send(sock, data):
    try:
        sock.send(data)
    except ConnectionRefusedError:  # belongs to the datagram before
        sock.send(data)
    except OSError as e:
        put(f"could not send: {e.strerror}\n")


def stop(number, _):
    raise SystemExit(128 + number)


def main():
    try:
        host, port = sys.argv[1], int(sys.argv[2])
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect((host, port))
    except (IndexError, ValueError, OverflowError):
        sys.exit("usage: redraw.py HOST PORT")
    except OSError as e:
        sys.exit(f"{host}: {e.strerror}")
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, stop)
    before = terminal and termios.tcgetattr(0)
    try:
        if terminal:
            tty.setcbreak(0, termios.TCSANOW)
        chat(sock, Input())
    finally:
        if terminal:
            put("\r\x1b[K")
            termios.tcsetattr(0, termios.TCSANOW, before)


main()
