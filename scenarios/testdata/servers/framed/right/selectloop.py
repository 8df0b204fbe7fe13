"""Chat server in a single thread: one select loop, non-blocking sockets, buffers in both directions.

Usage: python3 selectloop.py PORT [--roster SECONDS]

Frame: UNameL (2 bytes), MessageL (4 bytes), Username, Message; numbers in network byte order.
"""

import argparse
import selectors
import signal
import socket
import struct
import sys
import time

HEADER_SIZE = 6
MAX_MESSAGE_SIZE = 2 ** 20
MAX_PENDING = 64 * 2 ** 20      # output bytes that may wait for one connection


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.name = None        # None until logged in
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.lost = False       # to be removed at the end of this round
        self.events = selectors.EVENT_READ


class ChatServer:
    def __init__(self, port, roster_interval):
        self.selector = selectors.DefaultSelector()
        self.users = {}         # name -> Connection
        self.lost = []
        self.roster_interval = roster_interval
        self.running = True
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(512)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, None)

    def run(self):
        next_roster = time.monotonic() + self.roster_interval
        while self.running:
            # At most 0.2 s, so that a signal that comes just before select is not forgotten for long.
            wait = min(0.2, next_roster - time.monotonic())
            for key, events in self.selector.select(max(0, wait)):
                if key.data is None:
                    self.accept()
                    continue
                if events & selectors.EVENT_READ and not key.data.lost:
                    self.receive(key.data)
                if events & selectors.EVENT_WRITE and not key.data.lost:
                    self.flush(key.data)
            self.bury()
            if time.monotonic() >= next_roster:
                self.show_roster()
                next_roster = time.monotonic() + self.roster_interval

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
        self.selector.register(sock, connection.events, connection)

    # ---- input

    def receive(self, connection):
        try:
            data = connection.sock.recv(65536)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.lose(connection)
            return
        if not data:
            self.lose(connection)
            return
        connection.incoming += data
        while not connection.lost and self.take_frame(connection):
            pass

    def take_frame(self, connection):
        """Handles the first frame of the input buffer if it is complete."""
        buffer = connection.incoming
        if len(buffer) < HEADER_SIZE:
            return False
        name_size, message_size = struct.unpack_from("!HI", buffer)
        if message_size > MAX_MESSAGE_SIZE:
            self.lose(connection)
            return False
        message_start = HEADER_SIZE + name_size
        end = message_start + message_size
        if len(buffer) < end:
            return False
        name = bytes(buffer[HEADER_SIZE:message_start])
        message = bytes(buffer[message_start:end])
        del buffer[:end]
        self.handle_frame(connection, name, message)
        return True

    def handle_frame(self, connection, name, message):
        if connection.name is None:
            if not name:
                self.lose(connection)
                return
            if name in self.users:
                # Told to this one only, and then it may go.
                self.send(connection, b"chat", b"Sorry, " + name + b" is taken. Try another name.")
                self.lose(connection)
                return
            connection.name = name
            self.users[name] = connection
            self.to_all(b"chat", b"Welcome, " + name + b" is now online")
            if message:
                self.to_all(name, message, sender=connection)
        elif name == connection.name:
            self.to_all(name, message, sender=connection)
        # A frame under another name is ignored.

    # ---- output

    def to_all(self, name, message, sender=None):
        for connection in list(self.users.values()):
            if connection is not sender:
                self.send(connection, name, message)

    def send(self, connection, name, message):
        if connection.lost:
            return
        connection.outgoing += struct.pack("!HI", len(name), len(message)) + name + message
        if not connection.events & selectors.EVENT_WRITE:
            self.flush(connection)
        if len(connection.outgoing) > MAX_PENDING:
            self.lose(connection)

    def flush(self, connection):
        try:
            sent = connection.sock.send(connection.outgoing)
            del connection.outgoing[:sent]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.lose(connection)
            return
        events = selectors.EVENT_READ
        if connection.outgoing:
            events |= selectors.EVENT_WRITE
        if events != connection.events:
            connection.events = events
            self.selector.modify(connection.sock, events, connection)

    # ---- the end of connections

    def lose(self, connection):
        """The name is free at once. The rest is done by bury, when no loop over the users is going on."""
        if not connection.lost:
            connection.lost = True
            self.lost.append(connection)
            if connection.name is not None:
                del self.users[connection.name]

    def bury(self):
        while self.lost:    # telling the others may lose more of them
            connection = self.lost.pop(0)
            self.selector.unregister(connection.sock)
            connection.sock.close()
            if connection.name is not None:
                self.to_all(b"chat", b"Goodbye, " + connection.name + b" has gone offline")

    def show_roster(self):
        names = [name.decode("utf-8", "replace") for name in self.users]
        print(time.strftime("%H:%M:%S"), "online:", ", ".join(names) or "nobody", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--roster", type=float, default=1, metavar="SECONDS")
    args = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")

    server = ChatServer(args.port, args.roster)

    def stop(signum, frame):
        server.running = False

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"waiting for clients on 127.0.0.1 port {args.port}", flush=True)
    server.run()


if __name__ == "__main__":
    main()
