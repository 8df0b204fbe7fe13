# Chat client with select.        python3 loop.py alice chat://127.0.0.1:54307
#
# Everything is bytes until it is shown. Two buffers hold what is not a whole line yet: one for the keyboard, one for
# the server.

import os
import re
import select
import signal
import socket
import sys


class Lines:
    """Cuts what comes from a file descriptor into lines."""

    def __init__(self, fd, read):
        self.fd, self.read, self.rest, self.open = fd, read, b"", True

    def fileno(self):
        return self.fd

    def get(self):
        chunk = self.read()
        self.open = bool(chunk)
        lines = (self.rest + chunk).split(b"\n")
        self.rest = lines.pop()
        return lines


def show(line):
    out = []
    for c in line.decode("utf-8", "backslashreplace"):
        code = ord(c)
        out.append("^" + chr(code ^ 64) if code < 32 or code == 127 else "?" if 128 <= code < 160 else c)
    data = "".join(out + ["\n"]).encode()
    while data:
        data = data[os.write(1, data):]


def quit_with(status, why):
    show(why.encode())
    sys.exit(status)


def handle(line):
    """One line from the server."""
    line = line.removesuffix(b"\r")
    message = re.fullmatch(rb"@([^:]*): (.*)", line, re.DOTALL)
    if message:
        show(message[1] + b" says: " + message[2])
    elif line == b"DISCONNECT CHAT/1.0":
        quit_with(0, "The chat server is shutting down.")
    elif re.match(rb"40[01]\b", line):
        show(b"Registration failed: " + line)
        sys.exit(1)
    elif line.startswith(b"200"):
        show(b"Registered. Type a message and press Enter.")
    else:
        show(line)


def chat(sock, user):
    keyboard = Lines(0, lambda: os.read(0, 65536))
    server = Lines(sock.fileno(), lambda: sock.recv(65536))
    sock.sendall(b"REGISTER " + user + b" CHAT/1.0\n")
    while True:
        ready, _, _ = select.select([keyboard, server], [], [])
        if server in ready:
            for line in server.get():
                handle(line)
            if not server.open:
                quit_with(1, "Connection closed by the server.")
        if keyboard in ready:
            for text in keyboard.get():
                sock.sendall(b"@" + user + b": " + text + b"\n")
            if not keyboard.open:
                if keyboard.rest:
                    sock.sendall(b"@" + user + b": " + keyboard.rest + b"\n")
                break
    say_goodbye(sock, user)
    # the server may have something to say still, "401" for one
    while select.select([server], [], [], 1)[0] and server.open:
        for line in server.get():
            handle(line)


def say_goodbye(sock, user):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sock.sendall(b"DISCONNECT " + user + b" CHAT/1.0\n")
    sock.shutdown(socket.SHUT_WR)


class Interrupted(Exception):
    pass


def on_signal(number, frame):
    raise Interrupted(number)


def main():
    match = len(sys.argv) == 3 and re.fullmatch(r"chat://(\[[0-9a-fA-F:]+\]|[^:/\[\]]+):(\d{1,5})/?", sys.argv[2])
    if not match:
        quit_with(2, "Usage: python3 loop.py USER chat://HOST:PORT")
    user = os.fsencode(sys.argv[1])
    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    sock = None
    try:
        sock = socket.create_connection((match[1].strip("[]"), int(match[2])))
        chat(sock, user)
    except Interrupted:
        if sock:
            say_goodbye(sock, user)
        sys.exit(0)
    except (OSError, OverflowError) as e:
        quit_with(1, f"Lost the server: {e}" if sock else f"Cannot connect to {sys.argv[2]}: {e}")


main()
