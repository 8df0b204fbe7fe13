"""Client for direct messages with a prompt that is drawn again whenever something is printed above it.

Usage: python3 redraw.py HOST PORT
"""

import codecs
import contextlib
import os
import select
import signal
import socket
import struct
import sys
import termios
import time

WHITE = " \t\n\r\v\f"


class Terminal:
    """Standard input and output, line by line; on a terminal with line editing of its own."""

    def __init__(self):
        self.editing = os.isatty(0) and os.isatty(1)
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
        self.line = ""

    @contextlib.contextmanager
    def taken(self):
        if not self.editing:
            yield
            return
        old = termios.tcgetattr(0)
        new = termios.tcgetattr(0)
        new[3] &= ~(termios.ICANON | termios.ECHO)
        new[6][termios.VMIN], new[6][termios.VTIME] = 1, 0
        try:
            termios.tcsetattr(0, termios.TCSANOW, new)
            yield
        finally:
            termios.tcsetattr(0, termios.TCSANOW, old)

    def print(self, text):
        safe = "".join(c if ord(c) >= 32 and not 127 <= ord(c) < 160 else f"\\{ord(c):03o}" for c in text)
        self.write(("\r\x1b[K" if self.editing else "") + safe + "\n" + self.prompt())

    def prompt(self):
        return "\r\x1b[Kchat> " + self.line[-(os.get_terminal_size(1).columns or 80) + 8:] if self.editing else ""

    def write(self, text):
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(1, data):]

    def read(self):
        """Lines that are complete now, and whether the input has ended."""
        data = os.read(0, 4096)
        text = self.decoder.decode(data, not data)
        if not self.editing:
            *lines, self.line = (self.line + text).split("\n")
            return lines + ([self.line] if self.line and not data else []), not data
        lines, ended = [], not data
        for c in text:
            if c in "\n\r":
                self.write("\r\x1b[Kchat> " + self.line + "\n")
                lines.append(self.line)
                self.line = ""
            elif c == "\x04":
                ended = ended or not self.line
            elif c in "\b\x7f":
                self.line = self.line[:-1]
            elif c == "\x15":
                self.line = ""
            elif c.isprintable() or c == "\t":
                self.line += c
        self.write(self.prompt())
        return lines, ended


def parse(line):
    """A line as (packet, error), both empty for exit."""
    command, _, rest = line.partition(" ")
    if command in ("list", "logout", "exit"):
        if rest.strip(WHITE):
            return b"", "Invalid command"
        return {"list": b"\2", "logout": b"\4", "exit": b""}[command], ""
    if command not in ("login", "sendto"):
        return b"", "Invalid command"
    name, _, text = rest.partition(" ")
    if not name or len(name) > 20 or any(c in WHITE for c in name) or (text != "") != (command == "sendto"):
        return b"", "Bad username"
    if len(text.encode("utf-8", "surrogateescape")) > 0xFFFF:
        return b"", "Bad message"
    name, text = (s.encode("utf-8", "surrogateescape") for s in (name, text))
    if command == "login":
        return struct.pack("!BB", 1, len(name)) + name, ""
    return struct.pack("!BB", 3, len(name)) + name + struct.pack("!H", len(text)) + text, ""


def packets():
    """A coroutine that yields how many bytes it wants next and is sent them. It returns what to print for one packet,
    and how many answers that was."""
    def text(size):
        count = int.from_bytes((yield size), "big")
        return ((yield count) if count else b"").decode("utf-8", "replace")

    kind = (yield 1)[0]
    if kind == 5:
        count = int.from_bytes((yield 2), "big")
        names = []
        for _ in range(count):
            names.append((yield from text(1)))
        return f"online: {', '.join(names)}", 1
    if kind == 6:
        result = (yield 1)[0]
        return {0: "Success", 1: "Failure"}.get(result, "The server calls that malformed."), 1
    if kind == 7:
        name = yield from text(1)
        return name + ": " + (yield from text(2)), 0
    raise OSError(f"unknown type {kind} from the server")


def talk(sock, terminal):
    data, due, deadline = b"", 0, None
    reader = packets()
    wanted = next(reader)
    terminal.write(terminal.prompt())
    while deadline is None or due > 0 and time.monotonic() < deadline:
        sources = [0, sock] if deadline is None else [sock]
        ready = select.select(sources, [], [], deadline and max(0, deadline - time.monotonic()))[0]
        if sock in ready:
            piece = sock.recv(65536)
            if not piece:
                return "The server has closed the connection."
            data += piece
            while len(data) >= wanted:
                taken, data = data[:wanted], data[wanted:]
                try:
                    wanted = reader.send(taken)
                except StopIteration as done:
                    line, answers = done.value
                    terminal.print(line)
                    due -= answers
                    reader = packets()
                    wanted = next(reader)
        if 0 in ready:
            lines, ended = terminal.read()
            for line in lines:
                packet, error = parse(line)
                if error:
                    terminal.print(error)
                elif not packet:
                    ended = True
                    break
                else:
                    sock.sendall(packet)
                    due += 1
            if ended:
                deadline = time.monotonic() + 1
    return ""


def main():
    try:
        _, host, port = sys.argv
        sock = socket.create_connection((host, int(port)))
    except (ValueError, OverflowError):
        sys.exit("usage: redraw.py HOST PORT")
    except OSError as e:
        sys.exit(f"No server at {host} port {port}: {e.strerror}")
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    terminal = Terminal()
    with terminal.taken():
        try:
            why = talk(sock, terminal)
        except OSError as e:
            why = f"Connection lost: {e}"
        terminal.write("\r\x1b[K" if terminal.editing else "")
    if why:
        terminal.editing = False
        terminal.print(why)
        sys.exit(1)


main()
