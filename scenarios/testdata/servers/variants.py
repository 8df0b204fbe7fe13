# A correct chat room that speaks one of three dialects of the suite lines:
#
#     python3 variants.py words|digits|jsonlines PORT
#
# One loop, one selector, a buffer in and a buffer out for each client.
import json
import selectors
import signal
import socket
import sys

LIMIT = 65536


class Words:
    """Lines with other words."""

    def split(self, buf):
        end = buf.find(b"\n")
        if end < 0:
            return None
        if end > LIMIT:
            raise ConnectionError("too long")
        return buf[:end].removesuffix(b"\r"), end + 1

    def read(self, body, user):
        if user is None and body.startswith(b"HELLO "):
            return "login", body[6:]
        if body == b"BYE":
            return "leave", None
        if user is not None and body.startswith(b"@" + user + b": "):
            return "say", body[len(user) + 3:]
        return "wrong", None

    def ok(self):
        return b"OK\n"

    def error(self, why):
        return b"ERROR " + why + b"\n"

    def hear(self, user, text):
        return b"@" + user + b": " + text + b"\n"

    def closing(self):
        return b"SHUTDOWN\n"


class Digits(Words):
    """Ten digits in front of each message; name and text travel apart."""

    def split(self, buf):
        if len(buf) < 10:
            return None
        try:
            size = int(buf[:10])
        except ValueError:
            raise ConnectionError("no length")
        if not 0 <= size <= LIMIT:
            raise ConnectionError("too long")
        return None if len(buf) < 10 + size else (buf[10:10 + size], 10 + size)

    def frame(self, body):
        return b"%-10d" % len(body) + body

    def read(self, body, user):
        if user is None:
            words = body.split(b" ")
            if len(words) == 3 and words[0] == b"REGISTER" and words[2] == b"CHAT/1.0":
                return "login", words[1]
            return "wrong", None
        if body == b"DISCONNECT " + user + b" CHAT/1.0":
            return "leave", None
        if body.startswith(b"@" + user + b": "):
            return "say", body[len(user) + 3:]
        return "wrong", None

    def ok(self):
        return self.frame(b"200 Registration successful")

    def error(self, why):
        return self.frame((b"401 " if b"use" in why else b"400 ") + why)

    def hear(self, user, text):
        return self.frame(user) + self.frame(text)

    def closing(self):
        return self.frame(b"DISCONNECT CHAT/1.0")


class JSONLines(Words):
    """A JSON object in each line."""

    def read(self, body, user):
        if user is not None and body == b"DISCONNECT " + user + b" CHAT/1.0":
            return "leave", None
        try:
            m = json.loads(body)
            kind = m["type"]
            if kind == "login":
                return "login", m["user"].encode()
            if kind == "say":
                return "say", m["text"].encode()
            return "wrong", None
        except (ValueError, KeyError, TypeError, AttributeError):
            return "wrong", None

    def line(self, **m):
        return json.dumps(m).encode() + b"\n"

    def ok(self):
        return self.line(type="welcome", motd="be kind")

    def error(self, why):
        return self.line(type="error", code=401 if b"use" in why else 400, why=why.decode())

    def hear(self, user, text):
        return self.line(type="message", **{"from": user.decode()}, text=text.decode())

    def closing(self):
        return b"DISCONNECT CHAT/1.0\n"


dialect = {"words": Words, "digits": Digits, "jsonlines": JSONLines}[sys.argv[1]]()
sel = selectors.DefaultSelector()
clients = {}


class Client:
    def __init__(self, sock):
        self.sock, self.user, self.inbuf, self.out, self.closing = sock, None, b"", bytearray(), False

    def say(self, data):
        self.out += data
        if len(self.out) > 32 << 20:
            self.drop()
        else:
            self.flush()

    def flush(self):
        try:
            while self.out:
                n = self.sock.send(memoryview(self.out)[:65536])
                del self.out[:n]
        except BlockingIOError:
            pass
        except OSError:
            self.drop()
            return
        if self.sock.fileno() < 0:
            return
        if self.closing and not self.out:
            self.drop()
        else:
            sel.modify(self.sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if self.out else 0), self)

    def drop(self):
        if self.sock.fileno() >= 0:
            sel.unregister(self.sock)
            self.sock.close()
        if clients.get(self.user) is self:
            del clients[self.user]

    def refuse(self, why):
        self.closing = True
        self.say(dialect.error(why))

    def read(self):
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.drop()
            return
        self.inbuf += data
        try:
            while self.sock.fileno() >= 0 and not self.closing:
                found = dialect.split(self.inbuf)
                if found is None:
                    if len(self.inbuf) > LIMIT + 100:
                        self.drop()
                    return
                body, size = found
                self.inbuf = self.inbuf[size:]
                self.take(*dialect.read(body, self.user))
        except ConnectionError:
            self.drop()

    def take(self, kind, what):
        if kind == "login" and self.user is None:
            try:
                fine = bool(what) and len(what.decode().split()) == 1 and what.strip() == what and b"\0" not in what
            except UnicodeDecodeError:
                fine = False
            if not fine:
                self.refuse(b"bad name")
            elif what in clients:
                self.refuse(b"name in use")
            else:
                self.user = what
                clients[what] = self
                self.say(dialect.ok())
        elif self.user is None:
            self.refuse(b"log in first")
        elif kind == "leave":
            self.drop()
        elif kind == "say":
            try:
                what.decode()
            except UnicodeDecodeError:
                self.drop()
                return
            if b"\0" in what:
                self.drop()
                return
            data = dialect.hear(self.user, what)
            for c in list(clients.values()):
                if c is not self:
                    c.say(data)


def stop(*_):
    for c in list(clients.values()):
        c.sock.setblocking(True)
        c.sock.settimeout(0.2)
        try:
            c.sock.sendall(bytes(c.out) + dialect.closing())
        except OSError:
            pass
    sys.exit(0)


signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0))
server.listen(256)
server.setblocking(False)
sel.register(server, selectors.EVENT_READ, None)
print("listening on port", server.getsockname()[1], flush=True)
while True:
    for key, events in sel.select():
        if key.data is None:
            try:
                sock, _ = server.accept()
            except OSError:
                continue
            sock.setblocking(False)
            sel.register(sock, selectors.EVENT_READ, Client(sock))
            continue
        if events & selectors.EVENT_WRITE and key.data.sock.fileno() >= 0:
            key.data.flush()
        if events & selectors.EVENT_READ and key.data.sock.fileno() >= 0:
            key.data.read()
