"""Server for logging in, listing, sending to one user and logging out: two threads and a queue per client.

Usage: python3 threads.py PORT

One thread of a client reads its packets and handles them, the other one writes what stands in its queue. So nobody
waits for a client that has stopped reading; one that lets too much pile up is disconnected.

Decisions where the assignment says nothing:
  * after a malformed packet the connection is closed, because nobody knows where the next packet begins
  * names are UTF-8, and 20 characters are characters
  * who sends to himself gets his text, and then the answer
"""

import queue
import signal
import socket
import struct
import sys
import threading
import time

LOGIN, LIST, SENDTO, LOGOUT, LIST_REPLY, RESPONSE, SENDTO_REPLY = range(1, 8)
OK, FAILURE, MALFORMED = range(3)

LONGEST_NAME = 20
LONGEST_QUEUE = 64 << 20    # bytes
LINGER = 2                  # seconds that a client has to read its last answers


class Gone(Exception):
    """The connection has ended."""


class Users:
    """Who is logged in. The lock also keeps a text from being sent to somebody who has just left."""

    def __init__(self):
        self.lock = threading.Lock()
        self.clients = {}       # name -> Client

    def login(self, name, client):
        with self.lock:
            if client.name is not None or name in self.clients or not acceptable(name):
                return False
            client.name = name
            self.clients[name] = client
            return True

    def logout(self, client):
        with self.lock:
            if client.name is None:
                return False
            del self.clients[client.name]
            client.name = None
            return True

    def names(self):
        with self.lock:
            return list(self.clients)

    def send(self, client, destination, text):
        with self.lock:
            receiver = self.clients.get(destination)
            if client.name is None or receiver is None:
                return False
            receiver.put(bytes([SENDTO_REPLY]) + short(client.name) + struct.pack("!H", len(text)) + text)
            return True


def acceptable(name):
    try:
        characters = name.decode()
    except UnicodeDecodeError:
        return False
    return 0 < len(characters) <= LONGEST_NAME and not any(c.isspace() for c in characters)


def short(name):
    """A name as it stands in a packet."""
    return bytes([len(name)]) + name


class Client:
    def __init__(self, users, sock):
        self.users = users
        self.sock = sock
        self.name = None
        self.queue = queue.SimpleQueue()
        self.count = threading.Lock()
        self.queued = 0         # bytes

    def start(self):
        threading.Thread(target=self.read, daemon=True).start()
        threading.Thread(target=self.write, daemon=True).start()

    # ---- input

    def take(self, size):
        data = b""
        while len(data) < size:
            piece = self.sock.recv(size - len(data))
            if not piece:
                raise Gone
            data += piece
        return data

    def take_number(self, format):
        return struct.unpack(format, self.take(struct.calcsize(format)))[0]

    def take_name(self):
        return self.take(self.take_number("!B"))

    def read(self):
        try:
            while self.handle(self.take_number("!B")):
                pass
        except (Gone, OSError):
            pass
        self.users.logout(self)
        self.put(None)

    def handle(self, type):
        """Handles one packet. Tells whether there can be another one."""
        if type == LOGIN:
            self.respond(self.users.login(self.take_name(), self))
        elif type == LIST:
            names = self.users.names()
            self.put(struct.pack("!BH", LIST_REPLY, len(names)) + b"".join(map(short, names)))
        elif type == SENDTO:
            destination = self.take_name()
            text = self.take(self.take_number("!H"))
            self.respond(self.users.send(self, destination, text))
        elif type == LOGOUT:
            self.respond(self.users.logout(self))
        else:
            self.put(bytes([RESPONSE, MALFORMED]))
            return False
        return True

    # ---- output

    def respond(self, success):
        self.put(bytes([RESPONSE, OK if success else FAILURE]))

    def put(self, packet):
        """None is the end: what stands before it is still written."""
        with self.count:
            self.queued += len(packet or b"")
            too_much = self.queued > LONGEST_QUEUE
        if too_much:
            self.disconnect()
        else:
            self.queue.put(packet)

    def write(self):
        while (packet := self.queue.get()) is not None:
            try:
                self.sock.sendall(packet)
            except OSError:
                self.disconnect()
                continue        # until the thread that reads has said that it is the end
            with self.count:
                self.queued -= len(packet)
        self.hang_up()

    def hang_up(self):
        """A close with unread input would be a reset, which may overtake the last answer."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            end = time.monotonic() + LINGER
            while (left := end - time.monotonic()) > 0:
                self.sock.settimeout(left)
                if not self.sock.recv(65536):
                    break
        except OSError:
            pass
        self.sock.close()

    def disconnect(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main():
    # Not a handler of our own: Python would run it only when the main thread wakes up.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    port = int(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    users = Users()
    print(f"waiting on 127.0.0.1:{port}", flush=True)
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            time.sleep(0.05)
            continue
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Client(users, sock).start()
        except (OSError, RuntimeError):
            sock.close()


if __name__ == "__main__":
    main()
