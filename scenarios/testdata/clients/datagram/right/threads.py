"""Chat over UDP: python3 threads.py SERVER PORT

A thread shows what comes, while this one asks for the next message with input().
"""

import os
import re
import signal
import socket
import sys
import threading

INCOMING = re.compile(rb"INCOMING (\S+) (\d+) (.*)", re.DOTALL)


def readable(data):
    """No control characters for the terminal: \\n instead of a new line, and so on."""
    text = data.decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda c: repr(c[0])[1:-1], text)


def receive(sock):
    while True:
        try:
            datagram = sock.recv(65535)
        except OSError:
            continue        # nobody listens there now; the assignment says to ignore it
        message = INCOMING.fullmatch(datagram)
        if message:
            ip, port, text = map(readable, message.groups())
            print("<From %s:%s>: %s\n] " % (ip, port, text), end="", flush=True)


def send(sock, data):
    """An error here tells of an earlier datagram that nobody wanted. It must not keep this one from being sent."""
    for _ in range(2):
        try:
            sock.send(data)
            return
        except ConnectionRefusedError:
            continue
        except OSError as e:
            print("Not sent: %s" % e.strerror, flush=True)
            return


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: python3 threads.py SERVER PORT")
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        family, kind, proto, _, address = socket.getaddrinfo(sys.argv[1], int(sys.argv[2]), type=socket.SOCK_DGRAM)[0]
    except (OSError, ValueError, OverflowError) as e:
        sys.exit("Bad address %s %s: %s" % (sys.argv[1], sys.argv[2], e))
    sock = socket.socket(family, kind, proto)
    sock.connect(address)       # datagrams of others do not come through
    send(sock, b"GREETING")
    receiver = threading.Thread(target=receive, args=(sock,), daemon=True)
    receiver.start()
    status = 0
    try:
        while True:
            send(sock, b"MESSAGE " + input("] ").encode("utf-8", "surrogateescape"))
    except EOFError:
        receiver.join(0.3)      # one's own message comes back
    except KeyboardInterrupt:
        status = 130
    print(flush=True)
    os._exit(status)


main()
