"""Client for the framed chat room: a thread reads from the server, the main one waits in input().

Usage: python3 threads.py HOST PORT USER
"""

import os
import re
import signal
import socket
import struct
import sys
import threading

HEADER = struct.Struct("!HI")   # UNameL, MessageL
LONGEST = 16 << 20              # a longer message is not believed

leaving = threading.Event()     # the user goes, so the end of the connection is no news


def receive_exactly(sock, count):
    data = bytearray()
    while len(data) < count:
        piece = sock.recv(min(count - len(data), 65536))
        if not piece:
            raise EOFError("in the middle of a message" if data else "")
        data += piece
    return bytes(data)


def readable(data):
    """The text as it may go to the terminal: what could be obeyed there is written out."""
    text = data.decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda c: "\\x%02x" % ord(c[0]), text)


def receive(sock):
    try:
        while True:
            name_length, text_length = HEADER.unpack(receive_exactly(sock, HEADER.size))
            if text_length > LONGEST:
                end("The server sends nonsense: a message of %d bytes." % text_length)
            name = receive_exactly(sock, name_length) if name_length else b""
            text = receive_exactly(sock, text_length) if text_length else b""
            print("%s: %s" % (readable(name), readable(text)), flush=True)
    except EOFError as e:
        if not leaving.is_set():
            end(("The server has closed the connection %s" % e).strip() + ".")
    except OSError as e:
        if not leaving.is_set():
            end("Connection lost: %s" % e.strerror)


def end(why):
    """Ends the program from the thread: the main one sits in input() and cannot be called."""
    print(why, flush=True)
    os._exit(1)


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: threads.py HOST PORT USER")
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    name = os.fsencode(sys.argv[3])
    try:
        sock = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)
    except (OSError, ValueError, OverflowError) as e:
        sys.exit("Cannot connect to %s port %s: %s" % (sys.argv[1], sys.argv[2], e))
    sock.settimeout(None)

    status = 0
    receiver = threading.Thread(target=receive, args=(sock,), daemon=True)
    try:
        sock.sendall(HEADER.pack(len(name), 0) + name)
        receiver.start()
        while True:
            text = input().encode("utf-8", "surrogateescape")
            if text:
                sock.sendall(HEADER.pack(len(name), len(text)) + name + text)
    except EOFError:
        pass
    except KeyboardInterrupt:
        status = 130
    except OSError as e:
        end("Connection lost: %s" % e.strerror)

    leaving.set()
    try:
        sock.shutdown(socket.SHUT_WR)   # close() with unread bytes would be a reset, and lose what was sent
        if status == 0:
            receiver.join(1.0)
    except OSError:
        pass
    os._exit(status)                    # not sys.exit: the other thread may be printing


main()
