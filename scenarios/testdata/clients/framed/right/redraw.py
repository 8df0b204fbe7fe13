"""Framed chat client that keeps the line being typed at the bottom of the terminal.

Usage: redraw.py HOST PORT USER

On a terminal it reads every key itself, and when a message comes, the prompt and what was typed so far are wiped and
drawn again below it. On pipes it reads lines and draws nothing.
"""

import codecs
import os
import select
import shutil
import signal
import socket
import struct
import sys
import termios
import time
import tty

CONTROLS = {c: "^" + chr(c ^ 64) for c in [*range(32), 127]} | {c: f"<{c:02x}>" for c in range(128, 160)}


class Keyboard:
    """What is typed. lines() gives complete lines, and None at the end of the input."""

    def __init__(self):
        self.terminal = os.isatty(0) and os.isatty(1)
        self.decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self.typed = []
        if self.terminal:
            self.before = termios.tcgetattr(0)
            tty.setcbreak(0, termios.TCSANOW)   # keeps Ctrl-C a signal, and throws nothing away that was typed already

    def restore(self):
        if self.terminal:
            termios.tcsetattr(0, termios.TCSANOW, self.before)

    def lines(self):
        chunk = os.read(0, 65536)
        for c in self.decoder.decode(chunk, final=not chunk):
            if c == "\n" or self.terminal and c == "\r":
                yield self.take()
            elif not self.terminal:
                self.typed.append(c)
            elif c in "\x7f\b":
                del self.typed[-1:]
            elif c == "\x15":           # Ctrl-U
                self.typed.clear()
            elif c == "\x04":           # Ctrl-D
                if not self.typed:
                    yield None
                    return
            elif c >= " " or c == "\t":
                self.typed.append(c)
        if not chunk:
            if self.typed:
                yield self.take()
            yield None

    def take(self):
        line = "".join(self.typed)
        self.typed.clear()
        return line


class Client:
    def __init__(self, sock, name, keyboard):
        self.sock, self.name, self.keyboard = sock, name, keyboard
        self.received = bytearray()

    def send(self, text):
        data = text.encode("utf-8", "surrogateescape")
        self.sock.sendall(struct.pack("!HI", len(self.name), len(data)) + self.name + data)

    def show(self, line, draw=True):
        wipe = "\r\x1b[K" if self.keyboard.terminal else ""
        sys.stdout.write(wipe + line + "\n")
        self.draw() if draw else sys.stdout.flush()

    def draw(self):
        if self.keyboard.terminal:
            room = shutil.get_terminal_size().columns - 3
            end = "".join(self.keyboard.typed[-room:]).translate(CONTROLS)
            sys.stdout.write("\r\x1b[K> " + end)
        sys.stdout.flush()

    def receive(self):
        """Shows what has come; False at the end of the connection."""
        piece = self.sock.recv(65536)
        self.received += piece
        while len(self.received) >= 6:
            n, m = struct.unpack_from("!HI", self.received)
            if len(self.received) < 6 + n + m:
                break
            name, text = self.received[6:6 + n], self.received[6 + n:6 + n + m]
            del self.received[:6 + n + m]
            self.show(": ".join(p.decode("utf-8", "replace").translate(CONTROLS) for p in (name, text)))
        return bool(piece)

    def run(self):
        self.send("")
        self.draw()
        while True:
            ready = select.select([0, self.sock], [], [])[0]
            if self.sock in ready and not self.receive():
                self.show("-- the server has hung up --", draw=False)
                return 1
            if 0 in ready:
                for line in self.keyboard.lines():
                    if line is None:
                        return self.leave()
                    if self.keyboard.terminal:
                        self.show("> " + line.translate(CONTROLS))
                    if line:
                        self.send(line)
                self.draw()

    def leave(self):
        """Half-closes, and shows what comes until the server has closed too."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            until = time.monotonic() + 1
            while select.select([self.sock], [], [], max(0, until - time.monotonic()))[0] and self.receive():
                pass
        except OSError:
            pass
        if self.keyboard.terminal:
            print()
        return 0


def stop(number, frame):
    raise SystemExit(128 + number)


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: redraw.py HOST PORT USER")
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    try:
        sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    except (OSError, ValueError, OverflowError) as e:
        sys.exit(f"cannot reach {sys.argv[1]}:{sys.argv[2]}: {e}")
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, stop)
    keyboard = Keyboard()
    client = Client(sock, os.fsencode(sys.argv[3]), keyboard)
    try:
        return client.run()
    except OSError as e:
        client.show(f"-- lost the connection: {e.strerror} --", draw=False)
        return 1
    finally:
        keyboard.restore()


sys.exit(main())
