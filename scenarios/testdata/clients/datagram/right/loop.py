#!/usr/bin/env python3
"""UDP chat client: loop.py HOST PORT

select() waits for the keyboard and for the socket. The prompt is only there at a terminal.
"""
import os, select, signal, socket, sys, time

AT_TERMINAL = os.isatty(0) and os.isatty(1)


def write(text):
    data = text.encode("utf-8", "replace")
    while data:
        data = data[os.write(1, data):]


def clean(data):
    return "".join(c if c >= " " and not "\x7f" <= c < "\xa0" else "^" + chr(ord(c) ^ 64) if c < "\x80" else "\ufffd"
                   for c in data.decode("utf-8", "replace"))


def line_of(datagram):
    """What to print for a datagram, or None if it is no INCOMING."""
    word, ip, port, text = (datagram.split(b" ", 3) + [b""] * 4)[:4]
    if word != b"INCOMING" or not ip or not port.isdigit() or datagram.count(b" ") < 3:
        return None
    return f"<From {clean(ip)}:{clean(port)}>: {clean(text)}"


class Chat:
    def __init__(self, host, port):
        info = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self.server = info[4]
        self.sock = socket.socket(info[0], socket.SOCK_DGRAM)
        self.sock.setblocking(False)

    def send(self, data):
        try:
            self.sock.sendto(data, self.server)
        except OSError as e:
            write(f"(not sent: {e.strerror})\n")

    def receive(self):
        while True:
            try:
                datagram, sender = self.sock.recvfrom(1 << 16)
            except BlockingIOError:
                return
            except OSError:
                continue
            line = line_of(datagram)
            if sender[:2] == self.server[:2] and line is not None:
                write(("\n" if AT_TERMINAL else "") + line + "\n")
                self.prompt()

    def prompt(self):
        if AT_TERMINAL:
            write("] ")

    def run(self):
        self.send(b"GREETING")
        self.prompt()
        typed = b""
        while True:
            ready, _, _ = select.select([0, self.sock], [], [])
            if self.sock in ready:
                self.receive()
            if 0 in ready:
                data = os.read(0, 65536)
                *lines, typed = (typed + data).split(b"\n")
                if typed and not data:
                    lines.append(typed)
                for line in lines:
                    if line:
                        self.send(b"MESSAGE " + line)
                    self.prompt()
                if not data:
                    return

    def linger(self, seconds):
        """What was said last is on its way back."""
        until = time.monotonic() + seconds
        while select.select([self.sock], [], [], max(0, until - time.monotonic()))[0]:
            self.receive()


def main():
    if len(sys.argv) != 3:
        print(__doc__.splitlines()[0])
        sys.exit(2)
    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        chat = Chat(sys.argv[1], int(sys.argv[2]))
    except (OSError, ValueError) as e:
        sys.exit(f"cannot use {sys.argv[1]} {sys.argv[2]}: {e}")
    chat.run()
    AT_TERMINAL or chat.linger(0.5)
    AT_TERMINAL and write("\n")


main()
