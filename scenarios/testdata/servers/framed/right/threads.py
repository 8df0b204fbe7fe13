"""Chat server, one thread per client.

Usage: python3 threads.py PORT [--roster SECONDS]

Header of every frame, both directions, network byte order:
    UNameL (2 bytes)  MessageL (4 bytes)  Username  Message

The first frame of a client is its login. Its message may be empty.

How the server is built:
  * The main thread accepts. Every client has a thread that reads from it.
  * One lock guards everything that is shared, also the order of messages.
  * Nobody ever waits in a send. What the kernel does not take at once is kept
    in the backlog of that client, and the "pusher" thread sends it later.
    A client whose backlog grows too long has stopped reading and is dropped.
"""

import argparse
import select
import signal
import socket
import struct
import sys
import threading
import time

HEADER = struct.Struct("!HI")
MAX_MESSAGE = 1 << 20       # longest message that is accepted
MAX_BACKLOG = 64 << 20      # bytes waiting for one client before it is dropped


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.name = None            # bytes, known after the login
        self.backlog = bytearray()  # accepted for sending, not yet taken by the kernel
        self.broken = False         # sending failed; its thread will find out and clean up


lock = threading.Lock()
wake_pusher = threading.Condition(lock)
clients = {}                # name -> Client, logged in ones only, guarded by lock


# ---- frames

def pack(name, text):
    return HEADER.pack(len(name), len(text)) + name + text


def read_exactly(sock, count):
    """Returns count bytes, or None when the stream ends before."""
    data = bytearray()
    while len(data) < count:
        chunk = sock.recv(min(count - len(data), 65536))
        if not chunk:
            return None
        data += chunk
    return bytes(data)


def read_frame(sock):
    """Returns (name, text), or None when the client is gone or sends nonsense."""
    header = read_exactly(sock, HEADER.size)
    if header is None:
        return None
    name_length, text_length = HEADER.unpack(header)
    if text_length > MAX_MESSAGE:
        return None
    body = read_exactly(sock, name_length + text_length)
    if body is None:
        return None
    return body[:name_length], body[name_length:]


# ---- sending; all of these are called with the lock held

def give_up(client):
    """No more sending to this client. Its own thread wakes up and says goodbye for it."""
    client.broken = True
    client.backlog.clear()
    try:
        client.sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def try_send(client, data):
    """Returns how many bytes the kernel took."""
    try:
        return client.sock.send(data, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return 0
    except OSError:
        give_up(client)
        return 0


def deliver(client, frame):
    if client.broken:
        return
    if not client.backlog:
        sent = try_send(client, frame)
        if client.broken or sent == len(frame):
            return
        client.backlog += memoryview(frame)[sent:]
        wake_pusher.notify()
    else:
        client.backlog += frame
    if len(client.backlog) > MAX_BACKLOG:
        give_up(client)


def broadcast(frame, but):
    for client in clients.values():
        if client is not but:
            deliver(client, frame)


def pusher():
    """Sends what is waiting in the backlogs."""
    while True:
        with lock:
            waiting = [c for c in clients.values() if c.backlog]
            while not waiting:
                wake_pusher.wait()
                waiting = [c for c in clients.values() if c.backlog]
            poll = select.poll()
            by_fd = {}
            for client in waiting:
                fd = client.sock.fileno()
                if fd >= 0:
                    by_fd[fd] = client
                    poll.register(fd, select.POLLOUT)
        # A short wait, so that clients which get a backlog meanwhile are included soon.
        ready = poll.poll(20)
        with lock:
            for fd, _ in ready:
                client = by_fd[fd]
                if client.backlog and not client.broken:
                    sent = try_send(client, client.backlog)
                    if not client.broken:
                        del client.backlog[:sent]
        if len(ready) == len(by_fd):
            time.sleep(0.0005)      # let the others have the lock


# ---- one client

def login(client, name):
    """Returns whether the client is now one of us."""
    if not name:
        return False
    with lock:
        if name in clients:
            refusal = pack(b"server", b"the name " + name + b" is already in use")
            try:
                client.sock.send(refusal, socket.MSG_DONTWAIT)
            except OSError:
                pass
            return False
        client.name = name
        clients[name] = client
        broadcast(pack(b"server", name + b" joined the chat"), but=client)
    return True


def leave(client):
    with lock:
        if client.name is None or clients.get(client.name) is not client:
            return
        client.broken = True
        client.backlog.clear()
        del clients[client.name]
        broadcast(pack(b"server", client.name + b" left the chat"), but=client)


def chat(client, text):
    with lock:
        if not client.broken:
            broadcast(pack(client.name, text), but=client)


def serve_client(sock):
    client = Client(sock)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        frame = read_frame(sock)
        if frame is None or not login(client, frame[0]):
            return
        if frame[1]:
            chat(client, frame[1])
        while True:
            frame = read_frame(sock)
            if frame is None or client.broken:
                return
            name, text = frame
            if name == client.name:     # nobody speaks for somebody else
                chat(client, text)
    except OSError:
        pass                            # reset, timed out: the client is gone
    finally:
        leave(client)
        sock.close()


# ---- the server

def show_roster(seconds):
    while True:
        time.sleep(seconds)
        with lock:
            names = [name.decode("utf-8", "replace") for name in clients]
        print(f"Users online ({len(names)}): {', '.join(names)}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--roster", type=float, default=1, metavar="SECONDS")
    args = parser.parse_args()

    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    # Not a handler of our own: Python would run it only when the main thread wakes up.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", args.port))
    listener.listen(256)
    print(f"Chat server listening on port {args.port}", flush=True)

    threading.Thread(target=pusher, daemon=True).start()
    threading.Thread(target=show_roster, args=(args.roster,), daemon=True).start()
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            time.sleep(0.05)            # out of descriptors, or gone again already
            continue
        try:
            threading.Thread(target=serve_client, args=(sock,), daemon=True).start()
        except RuntimeError:
            sock.close()                # no more threads


if __name__ == "__main__":
    main()
