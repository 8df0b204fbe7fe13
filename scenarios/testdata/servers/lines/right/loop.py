"""Line chat server in a single thread: non-blocking sockets, a selector, buffers in both directions.

Usage: python3 loop.py [PORT]           without PORT a free one is taken and printed

A line ends in LF, and a CR before it does not belong to it.

Decisions where the protocol leaves a choice:
  * lines under another name, with NUL or invalid UTF-8 in them, and lines that are too long are ignored, the client stays
  * from somebody who has not registered, all lines but registrations are ignored
  * a second registration on one connection is answered 401 and ends it
  * a name has no colon and no @ in it
  * what is to be sent is collected until all input has been looked at, so that several lines go out at once
"""

import selectors
import signal
import socket
import sys
import time

MAX_LINE = 65536        # bytes, without the end
MAX_OUTPUT = 1 << 26    # bytes that may wait for one connection


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.name = None
        self.input = bytearray()
        self.searched = 0           # so many bytes of the input have no LF in them
        self.skipping = False       # within a line that is too long
        self.output = bytearray()
        self.events = selectors.EVENT_READ
        self.closing = None         # since when we are only waiting for the other side to close
        self.dead = False


class Server:
    def __init__(self, port):
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.wake, waker = socket.socketpair()
        self.wake.setblocking(False)
        waker.setblocking(False)
        self.waker = waker
        self.selector.register(self.wake, selectors.EVENT_READ, self.interrupted)
        signal.set_wakeup_fd(waker.fileno())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)      # what counts is the byte in the socket pair
        self.connections = set()
        self.names = {}             # name -> Connection
        self.deadline = None        # when we are gone whoever is still there

    # ---- the loop

    def run(self):
        while self.deadline is None or self.connections and time.monotonic() < self.deadline:
            wait = 0.1 if self.deadline or any(c.closing for c in self.connections) else None
            for key, events in self.selector.select(wait):
                if callable(key.data):
                    key.data()
                elif events & selectors.EVENT_READ:
                    self.receive(key.data)
            for connection in list(self.connections):
                self.flush(connection)
            self.bury()

    def accept(self):
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            pass
        connection = Connection(sock)
        self.connections.add(connection)
        self.selector.register(sock, connection.events, connection)

    def interrupted(self):
        self.wake.recv(64)
        if self.deadline is not None:
            return
        self.deadline = time.monotonic() + 0.6
        self.selector.unregister(self.listener)
        self.listener.close()
        for connection in self.connections:
            if connection.name:
                self.send(connection, b"DISCONNECT CHAT/1.0")
            self.hang_up(connection)

    # ---- input

    def receive(self, connection):
        try:
            data = connection.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.lose(connection)
            return
        if connection.closing:
            return
        connection.input += data
        while not connection.closing and self.take_line(connection):
            pass

    def take_line(self, connection):
        """Returns whether there was a whole one."""
        buffer = connection.input
        end = buffer.find(b"\n", connection.searched)
        if end < 0:
            if len(buffer) > MAX_LINE + 1:      # there could be a CR
                connection.skipping = True
                buffer.clear()
            connection.searched = len(buffer)
            return False
        line = bytes(buffer[:end]).removesuffix(b"\r")
        del buffer[:end + 1]
        connection.searched = 0
        if connection.skipping:
            connection.skipping = False
        elif len(line) <= MAX_LINE and b"\0" not in line and is_utf8(line):
            self.handle(connection, line)
        elif connection.name is None and line.startswith(b"REGISTER "):
            self.refuse(connection, b"400 I do not understand this registration")
        return True

    def handle(self, connection, line):
        if line.startswith(b"REGISTER ") or line == b"REGISTER":
            self.register(connection, line.split(b" "))
        elif connection.name is None:
            return
        elif line.startswith(b"@" + connection.name + b": "):
            for other in self.names.values():
                if other is not connection:
                    self.send(other, line)
        elif line == b"DISCONNECT " + connection.name + b" CHAT/1.0":
            self.hang_up(connection)

    def register(self, connection, words):
        if len(words) != 3 or words[2] != b"CHAT/1.0" or not is_name(words[1]):
            self.refuse(connection, b"400 I do not understand this registration")
        elif connection.name or words[1] in self.names:
            self.refuse(connection, b"401 There is somebody of this name")
        else:
            connection.name = words[1]
            self.names[connection.name] = connection
            self.send(connection, b"200 Welcome, " + connection.name)

    def refuse(self, connection, answer):
        self.send(connection, answer)
        self.hang_up(connection)

    # ---- output

    def send(self, connection, line):
        if not connection.closing and not connection.dead:
            connection.output += line + b"\n"
            if len(connection.output) > MAX_OUTPUT:
                connection.dead = True

    def flush(self, connection):
        if connection.dead or not connection.output:
            return
        try:
            sent = connection.sock.send(connection.output)
            del connection.output[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.lose(connection)
            return
        if not connection.output and connection.closing:
            self.end_stream(connection)
        events = selectors.EVENT_READ
        if connection.output:
            events |= selectors.EVENT_WRITE
        if events != connection.events:
            connection.events = events
            self.selector.modify(connection.sock, events, connection)

    # ---- the end of connections

    def forget(self, connection):
        if self.names.get(connection.name) is connection:
            del self.names[connection.name]

    def hang_up(self, connection):
        """What is waiting is still sent. Input is read and thrown away until the other side closes, for a second."""
        if connection.closing:
            return
        self.forget(connection)
        connection.closing = time.monotonic()
        connection.input.clear()
        if not connection.output:
            self.end_stream(connection)

    def end_stream(self, connection):
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            connection.dead = True

    def lose(self, connection):
        self.forget(connection)
        connection.dead = True

    def bury(self):
        long_ago = time.monotonic() - 1
        for connection in list(self.connections):
            if connection.closing and connection.closing < long_ago:
                connection.dead = True
            if connection.dead:
                self.forget(connection)
                self.connections.remove(connection)
                self.selector.unregister(connection.sock)
                connection.sock.close()

    def close(self):
        signal.set_wakeup_fd(-1)
        for sock in [self.wake, self.waker] + [c.sock for c in self.connections]:
            sock.close()
        self.selector.close()


def is_utf8(data):
    try:
        data.decode()
        return True
    except UnicodeDecodeError:
        return False


def is_name(word):
    return 0 < len(word) <= 200 and word == b"".join(word.split()) and b":" not in word and b"@" not in word


def main():
    server = Server(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(f"Serving chat://127.0.0.1:{server.listener.getsockname()[1]}", flush=True)
    server.run()
    server.close()


if __name__ == "__main__":
    main()
