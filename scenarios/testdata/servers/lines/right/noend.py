"""Line chat server for which lines have no end: what one recv returns is a line, and so is what one send sends.

Usage: python3 noend.py [PORT] [--strip]        without PORT a free one is taken and printed

It speaks the protocol with the setting end=none, in which it is correct. With --strip an LF or CR LF at the end of what
comes is taken away; otherwise it belongs to the line, and a registration that has one is malformed.

Decisions where the protocol leaves a choice:
  * lines under another name, and lines that are too long or have NUL or invalid UTF-8 in them are ignored
  * the first line has to be a good registration, everything else is answered 400
  * a second registration on one connection is answered 401 and ends it
"""

import argparse
import queue
import signal
import socket
import threading
import time

MAX_LINE = 65536
MAX_LINES = 10000       # that may wait for one client


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.name = None
        self.lines = queue.Queue(MAX_LINES)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.writer = threading.Thread(target=self.write, daemon=True)

    def put(self, line):
        try:
            self.lines.put_nowait(line)
        except queue.Full:
            self.shutdown(socket.SHUT_RDWR)

    def shutdown(self, how):
        try:
            self.sock.shutdown(how)
        except OSError:
            pass

    def write(self):
        try:
            while (line := self.lines.get()) is not None:
                self.sock.sendall(line.encode())
        except OSError:
            self.shutdown(socket.SHUT_RDWR)
        self.shutdown(socket.SHUT_WR)

    def receive(self):
        """Returns the next line, None at the end, and "" for one that is to be ignored."""
        data = self.sock.recv(1 << 20)
        if not data:
            return None
        if strip:
            data = data.removesuffix(b"\n").removesuffix(b"\r")
        if len(data) > MAX_LINE or b"\0" in data:
            return ""
        try:
            return data.decode()
        except UnicodeDecodeError:
            return ""

    def read(self):
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.register(self.receive()):
                while (line := self.receive()) is not None:
                    if not self.handle(line):
                        break
        except OSError:
            pass
        with lock:
            if clients.get(self.name) is self:
                del clients[self.name]
        self.say_goodbye()

    def say_goodbye(self):
        """Reads on until the client closes, for a second: else it might not get what is on the way to it."""
        self.put(None)
        deadline = time.monotonic() + 1
        try:
            while (left := deadline - time.monotonic()) > 0:
                self.sock.settimeout(left)
                if not self.sock.recv(65536):
                    break
        except OSError:
            pass
        self.writer.join(max(0, deadline - time.monotonic()))
        self.shutdown(socket.SHUT_RDWR)
        self.writer.join()
        self.sock.close()

    def register(self, line):
        if line is None:
            return False
        words = line.split(" ")
        if len(words) != 3 or words[0] != "REGISTER" or words[2] != "CHAT/1.0" or not words[1].isprintable() or not words[1]:
            self.put("400 Invalid registration")
            return False
        with lock:
            if words[1] in clients:
                self.put("401 Client already registered")
                return False
            self.name = words[1]
            self.put("200 Registration successful")
            clients[self.name] = self
            return True

    def handle(self, line):
        """Returns whether the client stays."""
        if line.startswith(f"@{self.name}: "):
            with lock:
                for client in clients.values():
                    if client is not self:
                        client.put(line)
        elif line.startswith("REGISTER "):
            self.put("401 Client already registered")
            return False
        return line != f"DISCONNECT {self.name} CHAT/1.0"


lock = threading.Lock()
clients = {}        # name -> Client
strip = False


def accept(server):
    while True:
        try:
            sock, _ = server.accept()
            client = Client(sock)
            client.writer.start()
            client.reader.start()
        except OSError:
            time.sleep(0.05)


def main():
    global strip
    parser = argparse.ArgumentParser()
    parser.add_argument("port", nargs="?", type=int, default=0)
    parser.add_argument("--strip", action="store_true", help="take a line end away from what comes")
    args = parser.parse_args()
    strip = args.strip

    # Handlers run in the main thread only, so that one waits for signals and does nothing else.
    stop = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    server = socket.create_server(("127.0.0.1", args.port), backlog=256)
    print(f"The server is running on port number {server.getsockname()[1]}", flush=True)
    threading.Thread(target=accept, args=(server,), daemon=True).start()
    signal.sigwait(stop)
    with lock:
        leaving = list(clients.values())
        for client in leaving:
            client.put("DISCONNECT CHAT/1.0")
            client.put(None)
    deadline = time.monotonic() + 0.5
    for client in leaving:
        client.reader.join(max(0, deadline - time.monotonic()))


if __name__ == "__main__":
    main()
