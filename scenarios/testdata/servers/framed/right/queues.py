"""Chat server, two threads and a queue per client.

Usage: python3 queues.py PORT [--roster SECONDS]

Protocol, big-endian:  UNameL:2  MessageL:4  Username  Message

One thread of a client reads frames from its socket, the other one takes frames
from its queue and writes them. So a slow client delays nobody but itself.

Decisions where the assignment says nothing:
  * everybody means everybody: a sender receives its own messages too
  * two clients may have the same name
  * a client that sends a frame under a name it did not log in with is thrown out
"""

import argparse
import queue
import signal
import socket
import struct
import sys
import threading
import time

LONGEST_MESSAGE = 1024 * 1024
LONGEST_QUEUE = 64 * 1024 * 1024    # bytes


class ProtocolError(Exception):
    pass


class Frame:
    def __init__(self, username, message):
        self.username = username
        self.message = message

    def encode(self):
        return struct.pack(">HI", len(self.username), len(self.message)) + self.username + self.message

    @staticmethod
    def read_from(file):
        """Returns the next frame, or None at the end of the stream."""
        header = file.read(6)
        if len(header) < 6:
            return None
        username_length, message_length = struct.unpack(">HI", header)
        if message_length > LONGEST_MESSAGE:
            raise ProtocolError(f"message of {message_length} bytes")
        username = file.read(username_length)
        message = file.read(message_length)
        if len(username) < username_length or len(message) < message_length:
            return None
        return Frame(username, message)


class Room:
    """Who is there. Frames are put into all queues under the lock, so everybody sees the same order."""

    def __init__(self):
        self.lock = threading.Lock()
        self.members = []

    def enter(self, member):
        with self.lock:
            self._tell(Frame(member.name, b"has entered"))
            self.members.append(member)

    def leave(self, member):
        with self.lock:
            if member in self.members:
                self.members.remove(member)
                self._tell(Frame(member.name, b"has left"))

    def say(self, member, message):
        with self.lock:
            if member in self.members:
                self._tell(Frame(member.name, message))

    def _tell(self, frame):
        data = frame.encode()
        for member in self.members:
            member.put(data)

    def names(self):
        with self.lock:
            return [member.name.decode("utf-8", errors="replace") for member in self.members]


class Member:
    def __init__(self, room, sock):
        self.room = room
        self.sock = sock
        self.name = b""
        self.queue = queue.SimpleQueue()
        self.queued = 0                     # bytes
        self.counter = threading.Lock()     # guards queued and gone
        self.gone = False

    def start(self):
        threading.Thread(target=self.read, daemon=True).start()
        threading.Thread(target=self.write, daemon=True).start()

    def put(self, data):
        with self.counter:
            if self.gone:
                return
            self.queued += len(data)
            too_much = self.queued > LONGEST_QUEUE
        if too_much:
            self.disconnect()
        else:
            self.queue.put(data)

    def disconnect(self):
        """Wakes both threads up; the reader then leaves the room."""
        with self.counter:
            self.gone = True
        self.queue.put(None)
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def read(self):
        try:
            with self.sock.makefile("rb") as file:
                self.converse(file)
        except (OSError, ProtocolError):
            pass
        finally:
            self.room.leave(self)
            self.disconnect()
            self.sock.close()

    def converse(self, file):
        login = Frame.read_from(file)
        if login is None or not login.username:
            return
        self.name = login.username
        self.room.enter(self)
        if login.message:
            self.room.say(self, login.message)
        while True:
            frame = Frame.read_from(file)
            if frame is None:
                return
            if frame.username != self.name:
                raise ProtocolError("speaks for somebody else")
            if self.gone:
                return
            self.room.say(self, frame.message)

    def write(self):
        while True:
            data = self.queue.get()
            if data is None or self.gone:
                return
            try:
                self.sock.sendall(data)
            except OSError:
                self.disconnect()
                return
            with self.counter:
                self.queued -= len(data)


def show_users(room, seconds):
    while True:
        time.sleep(seconds)
        lines = ["", "--- users online ---"]
        lines += [f"  * {name}" for name in room.names()] or ["  (nobody)"]
        print("\n".join(lines), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--roster", type=float, default=1, metavar="SECONDS")
    args = parser.parse_args()

    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    # Not a handler of our own: Python would run it only when the main thread wakes up.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    server = socket.create_server(("127.0.0.1", args.port), backlog=200)    # sets SO_REUSEADDR
    room = Room()
    print(f"Server is running on 127.0.0.1:{args.port}", flush=True)
    threading.Thread(target=show_users, args=(room, args.roster), daemon=True).start()
    while True:
        try:
            sock, address = server.accept()
        except OSError:
            time.sleep(0.1)
            continue
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Member(room, sock).start()
        except (OSError, RuntimeError):
            sock.close()


if __name__ == "__main__":
    main()
