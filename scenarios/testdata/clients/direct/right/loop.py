#!/usr/bin/env python3
# usage: loop.py HOST PORT
# One select over standard input and the server. No prompt.
import collections, os, select, signal, socket, sys, time

LOGIN, LIST, SENDTO, LOGOUT, LISTED, RESPONSE, MESSAGE = range(1, 8)
RESULTS = ["Success", "Failure", "Malformed packet"]
Name = collections.namedtuple("Name", "data end")


def out(line):
    """Prints a line; what would act on the terminal is printed as ^X or <XX>."""
    safe = ""
    for c in line:
        n = ord(c)
        safe += c if 32 <= n < 127 or n >= 160 else "<%02X>" % n if n >= 128 else "^" + chr(n ^ 64)
    data = (safe + "\n").encode("utf-8", "replace")
    while data:
        data = data[os.write(1, data):]


def command(line, sock):
    """Does what a line says. Returns how many answers are due for it, None for exit."""
    word, blank, parameters = line.partition(" ")
    if word == "login":
        if len(parameters.split()) != 1 or len(parameters.strip()) > 20:
            out("Bad username")
            return 0
        name = parameters.strip().encode("utf-8", "surrogateescape")
        sock.sendall(bytes([LOGIN, len(name)]) + name)
        return 1
    if word == "sendto":
        name, blank, text = parameters.partition(" ")
        data = text.encode("utf-8", "surrogateescape")
        if not name or not text or len(name) > 20:
            out("Bad username")
        elif len(text) > 65535 or len(data) > 65535:
            out("Bad message")
        else:
            to = name.encode("utf-8", "surrogateescape")
            sock.sendall(bytes([SENDTO, len(to)]) + to + len(data).to_bytes(2, "big") + data)
            return 1
        return 0
    if word not in ("list", "logout", "exit") or parameters:
        if line:
            out("Invalid command")
        return 0
    if word == "exit":
        return None
    sock.sendall(bytes([LIST if word == "list" else LOGOUT]))
    return 1


def need(data, end):
    if len(data) < end:
        raise IndexError("more must come")


def field(data, at, size):
    """The text at a place that has its length in front, in size bytes."""
    need(data, at + size)
    end = at + size + int.from_bytes(data[at:at + size], "big")
    need(data, end)
    return Name(data[at + size:end].decode("utf-8", "replace"), end)


def one_packet(data):
    """Takes the first packet apart: what to print, where it ends, whether it answers something."""
    kind = data[0]
    if kind == RESPONSE:
        return [RESULTS[data[1]] if data[1] < 3 else "Result %d?" % data[1]], 2, True
    if kind == MESSAGE:
        name = field(data, 1, 1)
        text = field(data, name.end, 2)
        return [name.data + ": " + text.data], text.end, False
    if kind == LISTED:
        need(data, 3)
        count, end, lines = data[1] << 8 | data[2], 3, []
        for _ in range(count):
            name, end = field(data, end, 1)
            lines.append("  " + name)
        return ["Users:" if lines else "Nobody is logged in."] + lines, end, True
    raise ValueError("unknown packet type %d" % kind)


def run(sock):
    typed = data = b""
    due, until, watched = 0, None, [0, sock]
    while True:
        if until and due <= 0:
            return 0
        ready = select.select(watched, [], [], until and max(0, until - time.monotonic()))[0]
        if until and not ready:
            return 0
        if sock in ready:
            chunk = sock.recv(65536)
            if not chunk:
                out("Server closed the connection")
                return 0 if until else 1
            data += chunk
            while data:
                try:
                    lines, end, answers = one_packet(data)
                except IndexError:
                    break
                due -= answers
                data = data[end:]
                for line in lines:
                    out(line)
        if 0 in ready:
            chunk = os.read(0, 65536)
            lines = (typed + chunk).split(b"\n")
            typed = lines.pop()
            if not chunk and typed:
                lines.append(typed)
            leave = not chunk
            for line in lines:
                n = command(line.decode("utf-8", "surrogateescape"), sock)
                if n is None:
                    leave = True
                    break
                due += n
            if leave:   # answers that are on their way are still shown
                watched, until = [sock], time.monotonic() + 1


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: loop.py HOST PORT")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        sock = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
        sock.settimeout(None)
    except (OSError, ValueError, OverflowError) as e:
        out("Could not connect: %s" % e)
        sys.exit(3)
    with sock:
        try:
            sys.exit(run(sock))
        except (OSError, ValueError) as e:
            out("Connection to the server failed: %s" % e)
            sys.exit(1)


main()
