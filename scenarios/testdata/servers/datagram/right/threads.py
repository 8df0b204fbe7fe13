"""Chat server for UDP: a thread for each datagram.

Usage: python3 threads.py PORT

A thread waits for the one of the datagram before, so that no message overtakes another or the greeting of its sender,
and takes the lock for whatever it does with the table.

Where the assignment leaves it open: a message of somebody who has not greeted is not distributed, and an empty one is
distributed like any other.
"""

import signal
import socket
import sys
import threading

GREETING = b"GREETING"
MESSAGE = b"MESSAGE "
MOST_THREADS = 100


class ChatServer:
    def __init__(self, port):
        self.lock = threading.Lock()
        self.active = set()
        self.room = threading.Semaphore(MOST_THREADS)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self.socket.bind(("127.0.0.1", port))

    def run(self):
        previous = None
        while True:
            try:
                datagram, sender = self.socket.recvfrom(65535)
            except OSError:
                continue
            self.room.acquire()
            thread = threading.Thread(target=self.handle, args=(datagram, sender, previous), daemon=True)
            thread.start()
            previous = thread

    def handle(self, datagram, sender, previous):
        try:
            if previous is not None:
                previous.join()
            if datagram == GREETING:
                self.greet(sender)
            elif datagram[:len(MESSAGE)] == MESSAGE:
                self.distribute(sender, datagram[len(MESSAGE):])
        finally:
            self.room.release()

    def greet(self, sender):
        with self.lock:
            self.active.add(sender)

    def distribute(self, sender, text):
        with self.lock:
            if sender not in self.active:
                return
            receivers = list(self.active)
        datagram = f"INCOMING {sender[0]} {sender[1]} ".encode() + text
        for receiver in receivers:
            try:
                self.socket.sendto(datagram, receiver)
            except OSError as e:
                print(f"cannot send to {receiver}: {e}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    server = ChatServer(int(sys.argv[1]))
    print("Server Initialized...", flush=True)
    server.run()
