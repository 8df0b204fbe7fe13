"""Chatroom client: log in, list, send to one user, log out.

Usage: python3 threads.py HOST PORT

The prompt is always printed, on pipes too; so an answer may stand behind it in the same line.
"""

import os
import re
import signal
import socket
import struct
import sys
import threading

answers = threading.Semaphore(0)    # one for each answer that has come
closing = False


class WrongInput(Exception):
    pass


def show(text):
    print(re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda c: "\\x%02x" % ord(c[0]), text), flush=True)


def packet(line):
    """The packet that a command stands for."""
    command, *rest = line.split(" ")
    if command == "login":
        name = rest[0] if rest else ""
        if len(rest) != 1 or not name or len(name) > 20 or re.search(r"\s", name):
            raise WrongInput("Bad username")
        return b"\x01" + short(name)
    if command == "sendto":
        name, text = (line.split(" ", 2) + ["", ""])[1:3]
        if not name or not text or len(name) > 20:
            raise WrongInput("Bad username")
        text = encode(text)
        if len(text) > 65535:           # never fewer than it has characters
            raise WrongInput("Bad message")
        return b"\x03" + short(name) + struct.pack("!H", len(text)) + text
    if command in ("list", "logout", "exit") and not rest:
        return {"list": b"\x02", "logout": b"\x04", "exit": None}[command]
    raise WrongInput("Invalid command")


def encode(text):
    return text.encode("utf-8", "surrogateescape")


def short(name):
    return struct.pack("B", len(encode(name))) + encode(name)


class Stream:
    """Reads numbers and texts from the connection."""

    def __init__(self, sock):
        self.file = sock.makefile("rb")

    def take(self, count):
        data = self.file.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def text(self, size):
        return self.take(self.number(size)).decode("utf-8", "replace")


def receive(stream):
    try:
        while True:
            kind = stream.number(1)
            if kind == 5:
                names = [stream.text(1) for _ in range(stream.number(2))]
                show("%d logged in: %s" % (len(names), ", ".join(names)))
                answers.release()
            elif kind == 6:
                result = stream.number(1)
                show({0: "Success", 1: "Failure"}.get(result, "The server did not understand that packet."))
                answers.release()
            elif kind == 7:
                sender = stream.text(1)
                show("%s: %s" % (sender, stream.text(2)))
            else:
                stop(1, "The server sends packets of an unknown type (%d)." % kind)
    except EOFError:
        closing or stop(1, "The server has closed the connection.")
    except OSError as e:
        closing or stop(1, "The connection is broken: %s." % e.strerror)


def stop(status, why):
    print(why, flush=True)
    os._exit(status)


def main(host, port):
    global closing
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sock = socket.create_connection((host, int(port)))
    except (OSError, ValueError, OverflowError) as e:
        sys.exit("Cannot connect to %s:%s: %s" % (host, port, e))
    threading.Thread(target=receive, args=(Stream(sock),), daemon=True).start()
    status = sent = 0
    try:
        while True:
            line = input("> ")
            try:
                data = packet(line)
            except WrongInput as e:
                print(e, flush=True)
                continue
            if data is None:
                break
            sock.sendall(data)
            sent += 1
    except EOFError:
        pass
    except KeyboardInterrupt:
        sent, status = 0, 130
    except OSError as e:
        stop(1, "The connection is broken: %s." % e.strerror)
    for _ in range(sent):
        if not answers.acquire(timeout=1):
            break
    closing = True
    sock.shutdown(socket.SHUT_RDWR)
    os._exit(status)


if len(sys.argv) != 3:
    sys.exit("Usage: python3 threads.py HOST PORT")
main(sys.argv[1], sys.argv[2])
