#!/usr/bin/env python3
"""Framed chat, client side. One select() over the keyboard and the socket.

    loop.py HOST PORT USER
"""
import os, select, signal, socket, struct, sys, time


def main(host, port, user):
    user = os.fsencode(user)
    if len(user) > 0xFFFF:
        fail("user name too long")
    try:
        sock = socket.create_connection((host, int(port)), 10)
    except (OSError, ValueError, OverflowError) as e:
        fail(f"no connection to {host}:{port}: {e}")
    sock.settimeout(None)
    sock.sendall(frame(user, b""))

    typed, received = b"", b""
    while True:
        for fd in select.select([0, sock], [], [])[0]:
            if fd == 0:
                chunk = os.read(0, 65536)
                typed += chunk
                *lines, typed = typed.split(b"\n")
                if not chunk and typed:
                    lines.append(typed)
                for line in lines:
                    sock.sendall(frame(user, line))
                if not chunk:
                    return goodbye(sock, received)
            else:
                chunk = sock.recv(65536)
                if not chunk:
                    say(b"*** server closed the connection")
                    return 1
                received = show_frames(received + chunk)


def goodbye(sock, received):
    """Half-closes, and shows what still comes until the server has closed too, for a second at most."""
    try:
        sock.shutdown(socket.SHUT_WR)
        until = time.monotonic() + 1
        while select.select([sock], [], [], max(0, until - time.monotonic()))[0]:
            chunk = sock.recv(65536)
            if not chunk:
                break
            received = show_frames(received + chunk)
    except OSError:
        pass    # a server that resets now is as well
    return 0


def frame(user, text):
    return struct.pack(">HI", len(user), len(text)) + user + text


def show_frames(data):
    """Shows the frames that are complete, returns the rest."""
    while len(data) >= 6:
        n, m = struct.unpack(">HI", data[:6])
        if len(data) < 6 + n + m:
            break
        say(b"[" + data[6:6 + n] + b"] " + data[6 + n:6 + n + m])
        data = data[6 + n + m:]
    return data


# U+2400.. are pictures of the control characters
PICTURES = {c: 0x2400 + c for c in range(32)} | {127: 0x2421} | {c: 0xFFFD for c in range(128, 160)}
del PICTURES[9]     # a tab does no harm


def say(data):
    line = data.decode("utf-8", "replace").translate(PICTURES) + "\n"
    sys.stdout.buffer.write(line.encode())
    sys.stdout.buffer.flush()


def fail(why):
    print(why, file=sys.stderr)
    sys.exit(1)


def interrupted(number, _):
    sys.exit(128 + number)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        print(__doc__.strip())
        sys.exit(2)
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    try:
        sys.exit(main(*sys.argv[1:]))
    except OSError as e:
        fail(f"connection lost: {e.strerror}")
