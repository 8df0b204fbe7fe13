"""Line chat server, two threads per client: one reads its lines, one sends what waits for it.

Usage: python3 threads.py [PORT]        without PORT a free one is taken and printed

A line ends in LF; a CR is a character like any other.

Decisions where the protocol leaves a choice:
  * who speaks under another name, sends NUL, invalid UTF-8 or a line that is too long is thrown out
  * the first line has to be a good registration, everything else is answered 400
  * a second registration on one connection is answered 401, and the client stays
  * other lines that mean nothing are ignored
  * a line and its end are sent one after the other
"""

import collections
import re
import select
import signal
import socket
import sys
import threading
import time

MAX_LINE = 64 * 1024            # bytes, without the end
MAX_WAITING = 64 * 1024 * 1024  # bytes that may wait for one client before it is dropped
REGISTER = re.compile(rb"REGISTER (\S+) CHAT/1\.0")
DISCONNECT = re.compile(rb"DISCONNECT (\S+) CHAT/1\.0")


class HangUp(Exception):
    pass


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.name = None
        self.waiting = collections.deque()
        self.size = 0               # bytes in waiting
        self.closing = False        # nothing more is put into waiting
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.serve, daemon=True)
        self.sender = threading.Thread(target=self.send, daemon=True)

    def start(self):
        self.sender.start()
        self.reader.start()

    # ---- output

    def put(self, line):
        """Never waits, so that nobody waits for somebody who does not read."""
        with self.changed:
            if self.closing:
                return
            self.waiting.append(line)
            self.size += len(line)
            self.changed.notify()
            too_much = self.size > MAX_WAITING
        if too_much:
            self.abort()

    def finish(self):
        """What is waiting is still sent, and then comes the end of the stream."""
        with self.changed:
            self.closing = True
            self.changed.notify()

    def abort(self):
        with self.changed:
            self.closing = True
            self.waiting.clear()
            self.changed.notify()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def send(self):
        try:
            while True:
                with self.changed:
                    self.changed.wait_for(lambda: self.waiting or self.closing)
                    if not self.waiting:
                        break
                    line = self.waiting.popleft()
                self.sock.sendall(line)
                self.sock.sendall(b"\n")
                with self.changed:
                    self.size -= len(line)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.abort()

    # ---- input

    def serve(self):
        file = self.sock.makefile("rb")
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.register(self.read_line(file))
            while True:
                self.handle(self.read_line(file))
        except (OSError, HangUp):
            pass
        finally:
            leave(self)
            self.finish()
            self.linger()
            file.close()
            self.sock.close()
            with lock:
                connections.discard(self)

    def read_line(self, file):
        line = file.readline(MAX_LINE + 1)
        if not line.endswith(b"\n"):
            raise HangUp("the end of the stream, or of our patience")
        line = line[:-1]
        if b"\0" in line:
            raise HangUp("NUL")
        try:
            line.decode()
        except UnicodeDecodeError:
            raise HangUp("not UTF-8") from None
        return line

    def register(self, line):
        match = REGISTER.fullmatch(line)
        if not match:
            self.put(b"400 Invalid registration")
            raise HangUp
        if not enter(self, match[1]):
            self.put(b"401 Client already registered")
            raise HangUp

    def handle(self, line):
        if line.startswith(b"@"):
            if not line.startswith(b"@" + self.name + b": "):
                raise HangUp("speaks for somebody else")
            relay(self, line)
        elif REGISTER.fullmatch(line):
            self.put(b"401 Client already registered")
        else:
            match = DISCONNECT.fullmatch(line)
            if match and match[1] == self.name:
                raise HangUp

    def linger(self):
        """To close while there is input unread would be a reset, and take our last words away from the client."""
        deadline = time.monotonic() + 1
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        try:
            while poll.poll(max(0, deadline - time.monotonic()) * 1000):
                if not self.sock.recv(65536):
                    break
        except OSError:
            pass
        self.sender.join(max(0, deadline - time.monotonic()))
        self.abort()
        self.sender.join()


# ---- the room

lock = threading.Lock()     # guards all of this, and the order of what is relayed
connections = set()
members = {}                # name -> Client
stopping = False


def enter(client, name):
    with lock:
        if name in members:
            return False
        client.name = name
        client.put(b"200 Registration successful")
        members[name] = client
        return True


def leave(client):
    with lock:
        if members.get(client.name) is client:
            del members[client.name]


def relay(sender, line):
    with lock:
        if stopping or members.get(sender.name) is not sender:
            return
        for client in members.values():
            if client is not sender:
                client.put(line)


# ---- the server

def accept(listener):
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            if stopping:
                return
            time.sleep(0.05)        # out of descriptors, or gone again already
            continue
        client = Client(sock)
        try:
            with lock:
                client.start()
                connections.add(client)
        except RuntimeError:        # no more threads
            client.abort()
            sock.close()


def stop(listener):
    global stopping
    with lock:
        stopping = True
        leaving = list(connections)
        for client in members.values():
            client.put(b"DISCONNECT CHAT/1.0")
    listener.shutdown(socket.SHUT_RDWR)     # wakes accept up
    listener.close()
    for client in leaving:
        client.finish()
    deadline = time.monotonic() + 0.5
    for client in leaving:
        client.reader.join(max(0, deadline - time.monotonic()))


def main():
    # Python runs handlers in the main thread only, so that one does nothing but wait for signals.
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), backlog=256)
    print(f"Chat server listening on port {listener.getsockname()[1]}", flush=True)
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    signal.sigwait(signals)
    stop(listener)


if __name__ == "__main__":
    main()
