"""Server for logging in, listing, sending to one user and logging out: one loop, no threads.

Usage: python3 loop.py PORT

What is to be sent is gathered for some milliseconds and then sent together, so that several packets often come in one
segment.

Decisions where the assignment says nothing:
  * a malformed packet is answered, what has come with it is thrown away, and the connection stays as it is
  * a list is in alphabetical order
  * a client that closes only its sending side gets its last answers
"""

import selectors
import signal
import socket
import struct
import sys
import time

GATHER = 0.004              # seconds
MAX_PENDING = 64 << 20      # bytes for one connection; who lets more pile up is dropped


class Malformed(Exception):
    pass


class Incomplete(Exception):
    pass


class Reader:
    """Takes fields from the front of a buffer."""

    def __init__(self, buffer):
        self.buffer = buffer
        self.position = 0

    def bytes(self, count):
        end = self.position + count
        if end > len(self.buffer):
            raise Incomplete
        field = bytes(self.buffer[self.position:end])
        self.position = end
        return field

    def number(self, size):
        return int.from_bytes(self.bytes(size), "big")


def parse(buffer):
    """Returns the first packet as a tuple, and its length."""
    reader = Reader(buffer)
    kind = reader.number(1)
    if kind == 1:
        packet = ("login", reader.bytes(reader.number(1)))
    elif kind == 2:
        packet = ("list",)
    elif kind == 3:
        packet = ("sendto", reader.bytes(reader.number(1)), reader.bytes(reader.number(2)))
    elif kind == 4:
        packet = ("logout",)
    else:
        raise Malformed
    return packet, reader.position


OK = b"\x06\x00"
FAILURE = b"\x06\x01"
MALFORMED = b"\x06\x02"


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.user = None
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.since = None       # when the oldest unsent byte came, while bytes are being gathered
        self.ended = False      # the client sends no more
        self.closed = False


class Server:
    def __init__(self, port):
        self.users = {}
        self.gathering = set()
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)

    def run(self):
        while True:
            for key, events in self.selector.select(GATHER / 2 if self.gathering else None):
                connection = key.data
                if connection is None:
                    self.accept()
                    continue
                if events & selectors.EVENT_READ:
                    self.receive(connection)
                if events & selectors.EVENT_WRITE and not connection.closed:
                    self.transmit(connection)
            now = time.monotonic()
            for connection in [c for c in self.gathering if now - c.since >= GATHER]:
                self.gathering.discard(connection)
                connection.since = None
                self.transmit(connection)

    def accept(self):
        try:
            sock, _ = self.listener.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            return
        self.selector.register(sock, selectors.EVENT_READ, Connection(sock))

    def receive(self, connection):
        try:
            data = connection.sock.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            self.close(connection)
            return
        if not data:
            self.finish(connection)
            return
        connection.incoming += data
        while connection.incoming and not connection.closed:
            try:
                packet, size = parse(connection.incoming)
            except Incomplete:
                break
            except Malformed:
                connection.incoming.clear()
                self.send(connection, MALFORMED)
                break
            del connection.incoming[:size]
            action, *fields = packet
            self.send(connection, getattr(self, action)(connection, *fields))

    # ---- what clients ask for; returned is the answer

    def login(self, connection, name):
        if connection.user is not None or name in self.users or not good_name(name):
            return FAILURE
        connection.user = name
        self.users[name] = connection
        return OK

    def list(self, connection):
        reply = struct.pack(">BH", 5, len(self.users))
        for name in sorted(self.users):
            reply += struct.pack("B", len(name)) + name
        return reply

    def sendto(self, connection, destination, text):
        receiver = self.users.get(destination)
        if connection.user is None or receiver is None:
            return FAILURE
        sender = connection.user
        self.send(receiver, struct.pack("BB", 7, len(sender)) + sender + struct.pack(">H", len(text)) + text)
        return OK

    def logout(self, connection):
        if connection.user is None:
            return FAILURE
        del self.users[connection.user]
        connection.user = None
        return OK

    # ---- output

    def send(self, connection, packet):
        if connection.closed:
            return
        connection.outgoing += packet
        if len(connection.outgoing) > MAX_PENDING:
            self.close(connection)
        elif connection.since is None and len(connection.outgoing) == len(packet):
            connection.since = time.monotonic()
            self.gathering.add(connection)

    def transmit(self, connection):
        try:
            sent = connection.sock.send(memoryview(connection.outgoing)[:1 << 18]) if connection.outgoing else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close(connection)
            return
        del connection.outgoing[:sent]
        if connection.ended and not connection.outgoing:
            self.close(connection)
            return
        events = 0 if connection.ended else selectors.EVENT_READ
        if connection.outgoing:
            events |= selectors.EVENT_WRITE
        self.selector.modify(connection.sock, events, connection)

    # ---- the end

    def finish(self, connection):
        """The client sends no more, but may still read."""
        connection.ended = True
        self.logout(connection)
        self.gathering.discard(connection)
        self.transmit(connection)

    def close(self, connection):
        if connection.closed:
            return
        connection.closed = True
        self.logout(connection)
        self.gathering.discard(connection)
        self.selector.unregister(connection.sock)
        connection.sock.close()


def good_name(name):
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return 1 <= len(text) <= 20 and text.split() == [text]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    server = Server(int(sys.argv[1]))
    print("ready", flush=True)
    server.run()
