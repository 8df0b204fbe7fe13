"""Line chat client, two threads: this one reads what is typed with input(), the other one what the server sends.

Usage: python3 threads.py USER chat://HOST:PORT
"""

import os
import signal
import socket
import sys
import threading
from urllib.parse import urlsplit

CONTROLS = {c: "\\x%02x" % c for c in [*range(32), *range(127, 160)]}


class ChatClient:
    def __init__(self, user, host, port):
        self.user = os.fsencode(user)
        self.leaving = False
        self.sock = socket.create_connection((host, port), timeout=10)
        self.sock.settimeout(None)
        self.answered = threading.Event()
        self.receiver = threading.Thread(target=self.receive, daemon=True)

    def send(self, line):
        self.sock.sendall(line + b"\n")

    def run(self):
        self.send(b"REGISTER %s CHAT/1.0" % self.user)
        self.receiver.start()
        self.answered.wait(1)       # some servers do not answer at all
        try:
            while True:
                text = input()
                self.send(b"@%s: %s" % (self.user, text.encode("utf-8", "surrogateescape")))
        except EOFError:
            self.goodbye()
            self.receiver.join(1)
            self.finish(0)
        except KeyboardInterrupt:
            self.goodbye()
            self.finish(0)

    def goodbye(self):
        self.leaving = True
        self.send(b"DISCONNECT %s CHAT/1.0" % self.user)
        self.sock.shutdown(socket.SHUT_WR)

    def receive(self):
        try:
            with self.sock.makefile("rb") as stream:
                for line in stream:
                    self.received(line.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r"))
            why = "The server has closed the connection."
        except OSError as e:
            why = "The connection is lost: %s" % e.strerror
        if not self.leaving:
            self.finish(1, why)

    def received(self, line):
        shown = line.translate(CONTROLS)
        if line == "DISCONNECT CHAT/1.0":
            self.finish(0, "The server shuts down. Goodbye!")
        elif line.startswith("@"):
            print(shown, flush=True)
        elif line.startswith(("400", "401")):
            self.finish(1, shown)
        else:
            print("[server] " + shown, flush=True)
            self.answered.set()

    def finish(self, status, why=None):
        """Ends the program at once, from either thread. input() cannot be woken up in another way."""
        if why:
            print(why, flush=True)
        os._exit(status)


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: threads.py USER chat://HOST:PORT")
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    try:
        address = urlsplit(sys.argv[2])
        host, port = address.hostname, address.port
        if address.scheme != "chat" or not host or not port or address.path:
            raise ValueError
    except ValueError:
        sys.exit("Wrong address %s: it must look like chat://HOST:PORT" % sys.argv[2])
    try:
        client = ChatClient(sys.argv[1], host, port)
        client.run()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as e:
        print("No connection to %s: %s" % (sys.argv[2], e.strerror or e), flush=True)
        os._exit(1)


main()
