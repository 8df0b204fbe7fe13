"""Chat servers with exactly one mistake each.

Usage: python3 wrong.py MISTAKE PORT [--roster SECONDS]
       python3 wrong.py --list          name, requirements, one line about it; tab separated

"Server" is a correct server. Every other class changes the one place where its mistake is made.
The name "none" runs the correct one.
"""

import argparse
import codecs
import collections
import os
import select
import signal
import socket
import struct
import sys
import threading
import time

MAX_MESSAGE = 1 << 20       # longest message that is accepted
MAX_OUTBOX = 64 << 20       # bytes waiting for one client before it is dropped
TCP_CLOSE = 7               # state of a socket after a reset, in Linux


class Refused(Exception):
    """The server does not want this client any longer."""


class Closed(Exception):
    """The stream has ended, perhaps within a frame of which a part came."""

    def __init__(self, part=b""):
        self.part = part


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.name = None                    # bytes, set at login
        self.rest = b""                     # read, but not yet looked at (only used by some mistakes)
        self.outbox = collections.deque()
        self.waiting = 0                    # bytes in the outbox
        self.filled = threading.Condition()
        self.dropped = False                # nothing more is sent, and what it sends is ignored
        self.reset = False                  # a send told so
        self.dead = False                   # has left, but is still in the list (one mistake)

    def drop(self):
        with self.filled:
            self.dropped = True
            self.outbox.clear()
            self.filled.notify()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def die(why):
    """What an exception that nobody catches does to a server with a single thread."""
    print(f"the server dies: {why}", file=sys.stderr, flush=True)
    os._exit(1)


class Server:
    def __init__(self, roster_seconds):
        self.lock = threading.RLock()       # guards clients and the order of what is sent
        self.clients = []                   # logged in, in the order of their logins
        self.roster_seconds = roster_seconds

    # ---- connections

    def run(self, port):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(256)
        print(f"listening on port {port}", flush=True)
        threading.Thread(target=self.roster, daemon=True).start()
        while True:
            sock, _ = listener.accept()
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                pass                        # gone again already
            client = Client(sock)
            threading.Thread(target=self.write, args=(client,), daemon=True).start()
            self.accepted(client)

    def accepted(self, client):
        threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        """The life of one connection."""
        if self.guarded(client, self.login):
            self.guarded(client, self.converse)

    def guarded(self, client, step):
        """Returns whether the client is still there after this step; cleans up if not."""
        try:
            step(client)
            return True
        except Refused:
            self.finished(client, "refusal", None)
        except OSError:
            self.finished(client, "reset", None)
        except Closed as e:
            self.finished(client, "reset" if self.was_reset(client) else "close", e.part)
        return False

    def was_reset(self, client):
        """A failed send may have taken the error away from the read, which then sees an ordinary end."""
        if client.dropped:
            return client.reset
        return client.reset or client.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE

    def finished(self, client, end, part):
        """End is "close", "reset" or "refusal"; part is what came of a frame that was cut off."""
        self.leave(client, end)
        self.hang_up(client)

    def hang_up(self, client):
        client.drop()
        client.sock.close()

    # ---- frames

    header = struct.Struct("!HI")

    def pack(self, name, text):
        return self.header.pack(len(name), len(text)) + name + text

    def unpack_header(self, data):
        return self.header.unpack(data)

    def recv(self, client, count):
        return client.sock.recv(min(count, 65536))

    def read_exactly(self, client, count, before=b""):
        """The bytes "before" belong to the same frame; together with what comes now they tell a cut off frame."""
        data = bytearray()
        while len(data) < count:
            chunk = self.recv(client, count - len(data))
            if not chunk:
                raise Closed(before + bytes(data))
            data += chunk
        return bytes(data)

    def read_header(self, client):
        return self.read_exactly(client, self.header.size)

    def read_body(self, client, header, count):
        return self.read_exactly(client, count, header)

    def read_frame(self, client):
        header = self.read_header(client)
        name_length, text_length = self.unpack_header(header)
        if text_length > MAX_MESSAGE:
            self.too_long(client)
        body = self.read_body(client, header, name_length + text_length)
        return body[:name_length], body[name_length:]

    def read_login(self, client):
        return self.read_frame(client)

    def too_long(self, client):
        raise Refused("too long")

    # ---- what clients do

    def login(self, client):
        name, text = self.read_login(client)
        if not name:
            self.empty_name(client)
        with self.lock:
            if self.taken(name):
                self.duplicate(client, name)
            client.name = name
            self.clients.append(client)
            self.announce_arrival(client)
        if text:
            self.said(client, name, text)

    def empty_name(self, client):
        raise Refused("empty name")

    def taken(self, name):
        return any(c.name == name for c in self.clients)

    def duplicate(self, client, name):
        try:
            client.sock.send(self.pack(b"server", b"this name is taken, bye"), socket.MSG_DONTWAIT)
        except OSError:
            pass
        raise Refused("name is taken")

    def converse(self, client):
        while True:
            name, text = self.read_frame(client)
            self.said(client, name, text)

    def said(self, client, name, text):
        if name == client.name and not client.dropped:
            self.chat(client, name, text)

    def chat(self, sender, name, text):
        with self.lock:
            frame = self.chat_frame(name, text)
            for client in self.recipients(sender):
                self.deliver(client, frame)

    def chat_frame(self, name, text):
        return self.pack(name, text)

    def others(self, client):
        return [c for c in self.clients if c is not client]

    def recipients(self, sender):
        return self.others(sender)

    def leave(self, client, end):
        with self.lock:
            if client in self.clients:
                self.clients.remove(client)
                self.announce_departure(client, end)

    # ---- notices

    def arrival_text(self, client):
        return client.name + b" has logged in"

    def departure_text(self, client):
        return client.name + b" has left"

    def pack_notice(self, text):
        return self.pack(b"server", text)

    def announce_arrival(self, client):
        for other in self.who_hears_arrival(client):
            self.deliver(other, self.pack_notice(self.arrival_text(client)))

    def announce_departure(self, client, end):
        for other in self.who_hears_departure(client, end):
            self.deliver(other, self.pack_notice(self.departure_text(client)))

    def who_hears_arrival(self, client):
        return self.others(client)

    def who_hears_departure(self, client, end):
        return self.others(client)

    # ---- sending

    def deliver(self, client, frame):
        """Puts the frame into the client's outbox; never waits."""
        with client.filled:
            if client.dropped:
                return
            client.outbox.append(frame)
            client.waiting += len(frame)
            client.filled.notify()
            full = client.waiting > MAX_OUTBOX
        if full:
            client.drop()

    def write(self, client):
        """The thread that empties the outbox."""
        while True:
            with client.filled:
                while not client.outbox and not client.dropped:
                    client.filled.wait()
                if client.dropped:
                    return
                frame = client.outbox.popleft()
            try:
                client.sock.sendall(frame)
            except OSError as e:
                self.send_failed(client, e)
                return
            with client.filled:
                client.waiting -= len(frame)

    def send_failed(self, client, error):
        """The thread that reads will notice; only nothing more is to be put into the outbox."""
        with client.filled:
            client.reset = isinstance(error, ConnectionResetError)
            client.outbox.clear()
            client.waiting = MAX_OUTBOX
        try:
            client.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    # ---- the list of users

    def roster(self):
        while True:
            time.sleep(self.roster_seconds)
            self.show_roster()

    def show_roster(self):
        with self.lock:
            names = [c.name.decode("utf-8", "replace") for c in self.clients]
        print(f"{len(names)} online: {', '.join(names)}", flush=True)


MISTAKES = {"none": ("-", "no mistake, the correct server that all the others change", Server)}


def mistake(name, requirements, about):
    def register(cls):
        assert name not in MISTAKES
        MISTAKES[name] = (requirements, about, cls)
        return cls
    return register


# ---------------------------------------------------------------- F-1: several clients at the same time

@mistake("one-at-a-time", "F-1", "the next client is served only after the previous one has left")
class OneAtATime(Server):
    def accepted(self, client):
        self.serve(client)


@mistake("silent-blocks", "F-1", "a client that has connected and says nothing blocks newcomers: the login is read in the accept loop")
class SilentBlocks(Server):
    def accepted(self, client):
        if self.guarded(client, self.login):
            threading.Thread(target=self.guarded, args=(client, self.converse), daemon=True).start()


@mistake("silent-blocks-everybody", "F-1", "a client that has connected and says nothing blocks everybody: its login is read under the lock")
class SilentBlocksEverybody(Server):
    def login(self, client):
        with self.lock:
            super().login(client)


@mistake("max-two-clients", "F-1", "a third client is refused while two are connected")
class MaxTwoClients(Server):
    most = 2

    def __init__(self, *args):
        super().__init__(*args)
        self.connected = 0

    def accepted(self, client):
        with self.lock:
            if self.connected >= self.most:
                self.hang_up(client)
                return
            self.connected += 1
        super().accepted(client)

    def finished(self, client, end, part):
        with self.lock:
            self.connected -= 1
        super().finished(client, end, part)


@mistake("max-ten-clients", "F-1", "an eleventh client is refused while ten are connected (should)")
class MaxTenClients(MaxTwoClients):
    most = 10


# ---------------------------------------------------------------- F-2: the header

@mistake("little-endian", "F-2", "both lengths are little-endian, both ways (only a warning under byte_order=any, wrong under big)")
class LittleEndian(Server):
    header = struct.Struct("<HI")


@mistake("little-endian-out", "F-2", "reads lengths big-endian, sends them little-endian")
class LittleEndianOut(Server):
    def pack(self, name, text):
        return struct.pack("<HI", len(name), len(text)) + name + text


@mistake("mixed-endian", "F-2", "UNameL is big-endian and MessageL little-endian, both ways")
class MixedEndian(Server):
    def pack(self, name, text):
        return struct.pack(">H", len(name)) + struct.pack("<I", len(text)) + name + text

    def unpack_header(self, data):
        return struct.unpack(">H", data[:2]) + struct.unpack("<I", data[2:])


@mistake("fields-swapped", "F-2", "MessageL stands before UNameL in the header, both ways")
class FieldsSwapped(Server):
    header = struct.Struct("!IH")

    def pack(self, name, text):
        return self.header.pack(len(text), len(name)) + name + text

    def unpack_header(self, data):
        text_length, name_length = self.header.unpack(data)
        return name_length, text_length


@mistake("body-swapped", "F-2", "Message stands before Username after the header, both ways")
class BodySwapped(Server):
    def pack(self, name, text):
        return self.header.pack(len(name), len(text)) + text + name

    def read_frame(self, client):
        header = self.read_header(client)
        name_length, text_length = self.unpack_header(header)
        if text_length > MAX_MESSAGE:
            self.too_long(client)
        body = self.read_body(client, header, name_length + text_length)
        return body[text_length:], body[:text_length]


@mistake("padded-header", "F-2", "the header has 8 bytes, with padding after UNameL as in a C struct, both ways")
class PaddedHeader(Server):
    header = struct.Struct("!HxxI")


@mistake("short-message-length", "F-2", "MessageL has 2 bytes instead of 4, both ways")
class ShortMessageLength(Server):
    header = struct.Struct("!HH")


@mistake("message-length-counts-name", "F-2", "MessageL of what the server sends is the length of Username and Message together")
class MessageLengthCountsName(Server):
    def pack(self, name, text):
        return self.header.pack(len(name), len(name) + len(text)) + name + text


@mistake("sends-extra-byte", "F-2", "a newline follows every frame that the server sends")
class SendsExtraByte(Server):
    def pack(self, name, text):
        return super().pack(name, text) + b"\n"


@mistake("zero-length-name-in-notice", "F-2,F-4", "in notices UNameL is 0 although a Username follows")
class ZeroLengthNameInNotice(Server):
    def pack_notice(self, text):
        return self.header.pack(0, len(text)) + b"server" + text


@mistake("notice-without-header", "F-2,F-4,F-5", "notices are sent as raw text without a header")
class NoticeWithoutHeader(Server):
    def pack_notice(self, text):
        return text


def characters(data):
    return len(data.decode("utf-8", "surrogateescape"))


@mistake("chars-for-bytes-out", "F-2,F-3", "lengths of what the server sends count characters instead of bytes")
class CharsForBytesOut(Server):
    def pack(self, name, text):
        return self.header.pack(characters(name), characters(text)) + name + text


@mistake("chars-for-bytes", "F-2,F-3", "lengths count characters instead of bytes, both ways")
class CharsForBytes(CharsForBytesOut):
    def read_characters(self, client, count, before):
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        data, seen = b"", 0
        while seen < count:
            chunk = self.read_exactly(client, count - seen, before + data)
            seen += len(decoder.decode(chunk))
            data += chunk
        return data

    def read_frame(self, client):
        header = self.read_header(client)
        name_length, text_length = self.unpack_header(header)
        if text_length > MAX_MESSAGE:
            self.too_long(client)
        name = self.read_characters(client, name_length, header)
        return name, self.read_characters(client, text_length, header + name)


# ---------------------------------------------------------------- F-3: from everybody to everybody, byte for byte

@mistake("text-truncated-512", "F-3", "a text is cut after 512 bytes")
class TextTruncated512(Server):
    def chat_frame(self, name, text):
        return self.pack(name, text[:512])


@mistake("same-text-once", "F-3", "a text that its sender has just said before is not relayed again")
class SameTextOnce(Server):
    def chat(self, sender, name, text):
        with self.lock:
            again = getattr(sender, "last_text", None) == text
            sender.last_text = text
            if not again:
                super().chat(sender, name, text)


@mistake("text-truncated-1024", "F-3", "a text is cut after 1024 bytes")
class TextTruncated1024(Server):
    def chat_frame(self, name, text):
        return self.pack(name, text[:1024])


@mistake("text-truncated-4096", "F-3", "a text is cut after 4096 bytes")
class TextTruncated4096(Server):
    def chat_frame(self, name, text):
        return self.pack(name, text[:4096])


@mistake("text-split-1024", "F-3", "a text of more than 1024 bytes is relayed as several messages")
class TextSplit1024(Server):
    def chat_frame(self, name, text):
        pieces = [text[i:i + 1024] for i in range(0, len(text), 1024)] or [b""]
        return b"".join(self.pack(name, piece) for piece in pieces)


@mistake("partial-send", "F-2,F-3", "what a single send does not take is forgotten, so a text of some hundred kilobytes loses its end")
class PartialSend(Server):
    def accepted(self, client):
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        super().accepted(client)

    def deliver(self, client, frame):
        if not client.dropped:
            try:
                client.sock.send(frame, socket.MSG_DONTWAIT)
            except OSError:
                pass


@mistake("text-stripped", "F-3", "white space around a text is removed")
class TextStripped(Server):
    def chat_frame(self, name, text):
        return self.pack(name, text.strip())


@mistake("text-cut-at-nul", "F-3", "a text ends at its first zero byte, as a C string does")
class TextCutAtNul(Server):
    def chat_frame(self, name, text):
        return self.pack(name, text.partition(b"\0")[0])


@mistake("text-cut-at-newline", "F-3", "only the first line of a text is relayed")
class TextCutAtNewline(Server):
    def chat_frame(self, name, text):
        return self.pack(name, text.partition(b"\n")[0])


@mistake("mangled-utf8", "F-3", "everything beyond ASCII becomes replacement characters")
class MangledUTF8(Server):
    def chat_frame(self, name, text):
        return self.pack(name, text.decode("ascii", "replace").encode())


@mistake("latin1-for-utf8", "F-3", "a text is decoded as Latin-1 and encoded as UTF-8, so every byte beyond ASCII becomes two")
class Latin1ForUTF8(Server):
    def chat_frame(self, name, text):
        return self.pack(name, text.decode("latin-1").encode())


@mistake("control-word-obeyed", "F-3", "a text that contains exit, quit, bye or disconnect ends the sender's connection")
class ControlWordObeyed(Server):
    def said(self, client, name, text):
        if any(word in text.lower() for word in (b"exit", b"quit", b"bye", b"disconnect")):
            raise Refused("asked for it")
        super().said(client, name, text)


@mistake("empty-text-is-goodbye", "F-3", "a frame with an empty Message ends the connection, also as a login (wrong under login_text=empty)")
class EmptyTextIsGoodbye(Server):
    def read_frame(self, client):
        name, text = super().read_frame(client)
        if not text:
            raise Refused("empty")
        return name, text


@mistake("wrong-sender-name", "F-3", "a text is relayed under the name server")
class WrongSenderName(Server):
    def chat_frame(self, name, text):
        return self.pack(b"server", text)


@mistake("sender-name-in-text", "F-3", "a text is relayed as <name>: <text>")
class SenderNameInText(Server):
    def chat_frame(self, name, text):
        return self.pack(name, name + b": " + text)


@mistake("name-truncated-20", "F-3", "the sender's name is cut after 20 bytes")
class NameTruncated20(Server):
    def chat_frame(self, name, text):
        return self.pack(name[:20], text)


@mistake("name-cut-at-blank", "F-3", "the sender's name ends at its first blank")
class NameCutAtBlank(Server):
    def chat_frame(self, name, text):
        return self.pack(name.partition(b" ")[0], text)


@mistake("first-other-only", "F-3", "only one other client receives a message")
class FirstOtherOnly(Server):
    def recipients(self, sender):
        return self.others(sender)[:1]


@mistake("last-joined-missing", "F-3", "with three or more clients the one who came last receives no messages")
class LastJoinedMissing(Server):
    def recipients(self, sender):
        listening = self.clients[:-1] if len(self.clients) >= 3 else self.clients
        return [c for c in listening if c is not sender]


@mistake("echoes-to-sender", "F-3", "the sender receives its own messages (only wrong under echo=no)")
class EchoesToSender(Server):
    def recipients(self, sender):
        return self.clients


@mistake("echoes-to-sender-only", "F-3", "a message goes back to its sender and to nobody else")
class EchoesToSenderOnly(Server):
    def recipients(self, sender):
        return [sender]


@mistake("message-to-one-twice", "F-3", "one of the others receives every message twice")
class MessageToOneTwice(Server):
    def recipients(self, sender):
        return self.others(sender) + self.others(sender)[:1]


# ---------------------------------------------------------------- F-4: arrivals

@mistake("no-arrival-notice", "F-4", "nobody is told about an arrival")
class NoArrivalNotice(Server):
    def who_hears_arrival(self, client):
        return []


@mistake("arrival-to-newcomer-only", "F-4", "only the newcomer is told about its arrival")
class ArrivalToNewcomerOnly(Server):
    def who_hears_arrival(self, client):
        return [client]


@mistake("arrival-to-first-only", "F-4", "only the client who came first is told about an arrival")
class ArrivalToFirstOnly(Server):
    def who_hears_arrival(self, client):
        return self.others(client)[:1]


@mistake("arrival-on-connect-only", "F-4", "the notice comes with the connection, before the login, and nothing comes with the login")
class ArrivalOnConnectOnly(Server):
    def accepted(self, client):
        with self.lock:
            for other in self.clients:
                self.deliver(other, self.pack_notice(b"somebody has connected"))
        super().accepted(client)

    def who_hears_arrival(self, client):
        return []


@mistake("arrival-at-first-text", "F-4", "an arrival is announced only when the newcomer says something for the first time")
class ArrivalAtFirstText(Server):
    def announce_arrival(self, client):
        client.announced = False

    def chat(self, sender, name, text):
        with self.lock:
            if not sender.announced:
                sender.announced = True
                super().announce_arrival(sender)
            super().chat(sender, name, text)


@mistake("arrival-without-name", "F-4", "the notice of an arrival does not tell who it is (should)")
class ArrivalWithoutName(Server):
    def arrival_text(self, client):
        return b"somebody has logged in"


@mistake("arrival-without-word", "F-4", "the notice of an arrival is nothing but the name (should)")
class ArrivalWithoutWord(Server):
    def arrival_text(self, client):
        return client.name


# ---------------------------------------------------------------- F-5: departures

@mistake("no-departure-notice", "F-5", "nobody is told about a departure")
class NoDepartureNotice(Server):
    def who_hears_departure(self, client, end):
        return []


@mistake("no-departure-on-reset", "F-5", "nobody is told when a client has left by a reset")
class NoDepartureOnReset(Server):
    def who_hears_departure(self, client, end):
        return [] if end == "reset" else self.others(client)


@mistake("no-departure-on-close", "F-5", "nobody is told when a client has left by a close, only after a reset")
class NoDepartureOnClose(Server):
    def who_hears_departure(self, client, end):
        return [] if end == "close" else self.others(client)


@mistake("departure-to-one-only", "F-5", "only one of the others is told about a departure")
class DepartureToOneOnly(Server):
    def who_hears_departure(self, client, end):
        return self.others(client)[:1]


@mistake("second-departure-silent", "F-5", "only the first departure since the start is announced")
class SecondDepartureSilent(Server):
    announced = False

    def who_hears_departure(self, client, end):
        if self.announced:
            return []
        self.announced = True
        return self.others(client)


@mistake("departure-without-name", "F-5", "the notice of a departure does not tell who it was (should)")
class DepartureWithoutName(Server):
    def departure_text(self, client):
        return b"somebody has left"


@mistake("departure-says-logged-in", "F-5", "the notice of a departure has the words of an arrival (should)")
class DepartureSaysLoggedIn(Server):
    def departure_text(self, client):
        return self.arrival_text(client)


# ---------------------------------------------------------------- F-6: the list of users

@mistake("no-roster", "F-6", "the list of users is never displayed (should)")
class NoRoster(Server):
    def roster(self):
        pass


@mistake("roster-once", "F-6", "the list of users is displayed only once, when the first users are there (should)")
class RosterOnce(Server):
    def roster(self):
        while not self.clients:
            time.sleep(self.roster_seconds)
        self.show_roster()


@mistake("roster-without-names", "F-6", "only the number of users is displayed (should)")
class RosterWithoutNames(Server):
    def show_roster(self):
        print(f"{len(self.clients)} online", flush=True)


# ---------------------------------------------------------------- F-7: clients come and go

class StopsBroadcasting(Server):
    """After stop() everything looks as usual, but nothing is sent to anybody."""
    stopped = False

    def stop(self):
        with self.lock:
            self.stopped = True

    def deliver(self, client, frame):
        if not self.stopped:
            super().deliver(client, frame)


@mistake("stops-after-close", "F-7", "after the first close (its notice still comes) nobody receives anything any more")
class StopsAfterClose(StopsBroadcasting):
    def leave(self, client, end):
        super().leave(client, end)
        if client.name and end == "close":
            self.stop()


@mistake("stops-after-reset", "F-7", "after the first reset (its notice still comes) nobody receives anything any more")
class StopsAfterReset(StopsBroadcasting):
    def leave(self, client, end):
        super().leave(client, end)
        if client.name and end == "reset":
            self.stop()


@mistake("dies-on-close", "F-7", "the process exits when a client that was logged in closes")
class DiesOnClose(Server):
    def leave(self, client, end):
        if client.name and end == "close":
            die("read nothing")
        super().leave(client, end)


@mistake("dies-on-reset", "F-7", "the process exits when a client resets its connection")
class DiesOnReset(Server):
    def leave(self, client, end):
        if end == "reset":
            die("ConnectionResetError")
        super().leave(client, end)


class StopsAccepting(Server):
    """After stop_accepting() newcomers can connect, as far as the kernel goes, and nobody serves them."""
    accepting = True

    def stop_accepting(self):
        self.accepting = False

    def accepted(self, client):
        while not self.accepting:
            time.sleep(1)
        super().accepted(client)


@mistake("no-newcomers-after-close", "F-7", "after the first close newcomers are no longer served")
class NoNewcomersAfterClose(StopsAccepting):
    def leave(self, client, end):
        if client.name and end == "close":
            self.stop_accepting()
        super().leave(client, end)


@mistake("no-newcomers-after-reset", "F-7", "after the first reset newcomers are no longer served")
class NoNewcomersAfterReset(StopsAccepting):
    def leave(self, client, end):
        if end == "reset":
            self.stop_accepting()
        super().leave(client, end)


@mistake("never-forgets-name", "F-7", "a name can never be used again: who comes back is refused")
class NeverForgetsName(Server):
    def __init__(self, *args):
        super().__init__(*args)
        self.ghosts = set()

    def taken(self, name):
        return super().taken(name) or name in self.ghosts

    def leave(self, client, end):
        with self.lock:
            if client.name and self.stays_taken(end):
                self.ghosts.add(client.name)
            super().leave(client, end)

    def stays_taken(self, end):
        return True


@mistake("never-forgets-name-after-reset", "F-7", "a name can never be used again after a reset: who comes back is refused")
class NeverForgetsNameAfterReset(NeverForgetsName):
    def stays_taken(self, end):
        return end == "reset"


@mistake("forgets-name-late", "F-7", "a name is free again only thirty seconds after its owner has left")
class ForgetsNameLate(NeverForgetsName):
    def leave(self, client, end):
        super().leave(client, end)
        if client.name:
            timer = threading.Timer(30, self.ghosts.discard, [client.name])
            timer.daemon = True
            timer.start()


@mistake("comeback-hears-nothing", "F-7", "who comes back under the same name can speak, but receives nothing")
class ComebackHearsNothing(Server):
    def __init__(self, *args):
        super().__init__(*args)
        self.left = set()       # names
        self.deaf = set()       # clients

    def announce_arrival(self, client):
        if client.name in self.left:
            self.deaf.add(client)
        super().announce_arrival(client)

    def announce_departure(self, client, end):
        self.left.add(client.name)
        super().announce_departure(client, end)

    def deliver(self, client, frame):
        if client not in self.deaf:
            super().deliver(client, frame)


@mistake("comeback-unannounced", "F-4,F-7", "the arrival of who comes back under the same name is not announced")
class ComebackUnannounced(Server):
    def __init__(self, *args):
        super().__init__(*args)
        self.left = set()

    def who_hears_arrival(self, client):
        return [] if client.name in self.left else self.others(client)

    def announce_departure(self, client, end):
        self.left.add(client.name)
        super().announce_departure(client, end)


@mistake("dead-client-swallows-message", "F-7,F-3", "after a departure the next message is lost for those who came after the departed: sending to it fails and ends the loop")
class DeadClientSwallowsMessage(Server):
    def leave(self, client, end):
        with self.lock:
            if client in self.clients:
                self.announce_departure(client, end)
                client.dead = True      # still in the list until somebody sends to it

    def taken(self, name):
        return any(c.name == name and not c.dead for c in self.clients)

    def chat(self, sender, name, text):
        with self.lock:
            for client in self.recipients(sender):
                if client.dead:
                    self.clients.remove(client)
                    return
                self.deliver(client, self.chat_frame(name, text))

    def show_roster(self):
        names = [c.name.decode("utf-8", "replace") for c in self.clients if not c.dead]
        print(f"{len(names)} online: {', '.join(names)}", flush=True)


@mistake("spins-after-close", "F-7", "after a close the thread of the departed reads the end of the stream again and again, with all the CPU it can get (no requirement forbids it)")
class SpinsAfterClose(Server):
    def finished(self, client, end, part):
        self.leave(client, end)
        while client.name:
            try:
                client.sock.recv(1024)
            except OSError:
                pass


# ---------------------------------------------------------------- F-9: segments

@mistake("one-recv-is-one-frame", "F-9", "what one recv returns is taken for one frame: a part is a shorter frame, a second frame is lost")
class OneRecvIsOneFrame(Server):
    def read_frame(self, client):
        data = client.sock.recv(2 << 20)
        if not data:
            raise Closed()
        if len(data) < self.header.size:
            raise Refused("struct.error: unpack requires a buffer of 6 bytes")
        name_length, text_length = self.unpack_header(data[:self.header.size])
        if text_length > MAX_MESSAGE:
            self.too_long(client)
        body = data[self.header.size:]
        return body[:name_length], body[name_length:name_length + text_length]


@mistake("header-in-one-recv", "F-9", "the header is expected to come in one piece, else the client is dropped")
class HeaderInOneRecv(Server):
    def read_header(self, client):
        data = client.sock.recv(self.header.size)
        if not data:
            raise Closed()
        if len(data) < self.header.size:
            raise Refused("struct.error: unpack requires a buffer of 6 bytes")
        return data


@mistake("body-in-one-recv", "F-9", "what follows the header is expected to come in one piece, else its beginning is relayed and the rest taken for a header")
class BodyInOneRecv(Server):
    def read_body(self, client, header, count):
        data = client.sock.recv(count) if count else b""
        if count and not data:
            raise Closed(header)
        return data


@mistake("message-length-in-one-recv", "F-9", "the length of a Message is read with one recv: what comes of it is taken for all of it")
class MessageLengthInOneRecv(Server):
    def read_header(self, client):
        first = self.read_exactly(client, 2)
        length = client.sock.recv(4)
        if not length:
            raise Closed(first)
        return first + length.rjust(4, b"\0")


@mistake("name-in-one-recv", "F-9", "a Username is read with one recv, and the rest of it is taken for the Message")
class NameInOneRecv(Server):
    def read_body(self, client, header, count):
        length, _ = self.unpack_header(header)
        name = client.sock.recv(length) if length else b""
        if length and not name:
            raise Closed(header)
        return name.ljust(length) + self.read_exactly(client, count - length, header + name)


@mistake("header-alone-is-empty", "F-9", "a header that comes without anything behind it is taken for a frame without a Message")
class HeaderAloneIsEmpty(Server):
    def read_frame(self, client):
        if len(client.sock.recv(self.header.size + 1, socket.MSG_PEEK)) == self.header.size:
            self.read_header(client)
            return client.name or b"", b""
        return super().read_frame(client)


@mistake("login-in-one-recv", "F-9", "a login is expected to come in one piece, else the client is dropped")
class LoginInOneRecv(Server):
    def read_login(self, client):
        data = client.sock.recv(65536, socket.MSG_PEEK)
        if not data:
            raise Closed()
        if len(data) < self.header.size or len(data) < self.header.size + sum(self.unpack_header(data[:self.header.size])):
            raise Refused("not a login")
        return self.read_frame(client)


@mistake("pause-in-frame-loses-it", "F-9", "a frame that does not come within 20 ms is thrown away, what comes later is taken for a header")
class PauseInFrameLosesIt(Server):
    def read_frame(self, client):
        while True:
            try:
                return super().read_frame(client)
            except TimeoutError:
                pass

    def read_exactly(self, client, count, before=b""):
        data = b""
        while len(data) < count:
            if (before or data) and not select.select([client.sock], [], [], 0.02)[0]:
                raise TimeoutError
            chunk = self.recv(client, count - len(data))
            if not chunk:
                raise Closed(before + data)
            data += chunk
        return data


@mistake("unfinished-frame-blocks", "F-9,F-1", "while one client's frame is unfinished nobody else is served: the rest of a frame is read under the lock")
class UnfinishedFrameBlocks(Server):
    def read_header(self, client):
        first = self.read_exactly(client, 1)
        with self.lock:
            return first + self.read_exactly(client, self.header.size - 1, first)

    def read_body(self, client, header, count):
        with self.lock:
            return super().read_body(client, header, count)


@mistake("character-in-one-recv", "F-9", "every piece of a text is decoded on its own, so a character that comes in two pieces is mangled")
class CharacterInOneRecv(Server):
    def read_frame(self, client):
        header = self.read_header(client)
        name_length, text_length = self.unpack_header(header)
        if text_length > MAX_MESSAGE:
            self.too_long(client)
        name = self.read_exactly(client, name_length, header)
        text, missing = "", text_length
        while missing:
            chunk = self.recv(client, missing)
            if not chunk:
                raise Closed(header + name + text.encode())
            missing -= len(chunk)
            text += chunk.decode("utf-8", "replace")
        return name, text.encode()


class Buffered(Server):
    """A correct server that reads what there is and takes frames from the front of it."""

    def read_frame(self, client):
        while True:
            data = client.rest
            if len(data) >= self.header.size:
                name_length, text_length = self.unpack_header(data[:self.header.size])
                if text_length > MAX_MESSAGE:
                    self.too_long(client)
                middle = self.header.size + name_length
                end = middle + text_length
                if len(data) >= end:
                    client.rest = data[end:]
                    return data[self.header.size:middle], data[middle:end]
            chunk = client.sock.recv(65536)
            if not chunk:
                raise Closed(data)
            client.rest += chunk


@mistake("second-frame-in-segment-lost", "F-9", "what comes in the same segment after a chat frame is thrown away (what comes after a login is kept)")
class SecondFrameInSegmentLost(Buffered):
    def read_frame(self, client):
        frame = super().read_frame(client)
        if client.name:
            client.rest = b""
        return frame


@mistake("login-and-chat-in-one-segment-lost", "F-9", "what comes in the same segment after the login is thrown away")
class LoginAndChatInOneSegmentLost(Buffered):
    def read_login(self, client):
        frame = super().read_login(client)
        client.rest = b""
        return frame


@mistake("frames-merged", "F-9", "everything that comes in the same segment after a Username is its Message, headers of further frames included")
class FramesMerged(Buffered):
    def read_frame(self, client):
        name, text = super().read_frame(client)
        text, client.rest = text + client.rest, b""
        return name, text


@mistake("second-frame-waits", "F-9", "a second frame in the same segment is relayed only when the client sends more")
class SecondFrameWaits(Buffered):
    def read_frame(self, client):
        if client.rest:
            chunk = client.sock.recv(65536)
            if not chunk:
                raise Closed()
            client.rest += chunk
        return super().read_frame(client)


# ---------------------------------------------------------------- F-10: lengths that are too long

@mistake("dies-on-huge-length", "F-10", "the process exits upon a length of more than 1 MiB (should)")
class DiesOnHugeLength(Server):
    def too_long(self, client):
        die("MemoryError")


@mistake("waits-forever-on-huge-length", "F-10", "any length is accepted, the client is kept and its 4 GiB are waited for (should)")
class WaitsForeverOnHugeLength(Server):
    def too_long(self, client):
        pass


@mistake("huge-length-ignored", "F-10", "a frame with a huge length is taken for one with an empty Message, the client stays (should)")
class HugeLengthIgnored(Server):
    def unpack_header(self, data):
        name_length, text_length = super().unpack_header(data)
        return name_length, 0 if text_length > MAX_MESSAGE else text_length


@mistake("huge-length-drops-everybody", "F-10", "upon a length of more than 1 MiB all clients are dropped (should)")
class HugeLengthDropsEverybody(Server):
    def too_long(self, client):
        with self.lock:
            for other in self.others(client):
                other.drop()
        super().too_long(client)


@mistake("huge-length-blocks-everybody", "F-10", "the bytes of a frame of more than 1 MiB are waited for under the lock (should)")
class HugeLengthBlocksEverybody(Server):
    def too_long(self, client):
        with self.lock:
            while client.sock.recv(65536):
                pass
        super().too_long(client)


# ---------------------------------------------------------------- F-11: broken frames

@mistake("dies-on-cut-off-frame", "F-11", "the process exits when a frame is cut off by a close (should)")
class DiesOnCutOffFrame(Server):
    def finished(self, client, end, part):
        if part:
            die("struct.error: unpack requires a buffer of 6 bytes")
        super().finished(client, end, part)


@mistake("dies-on-cut-off-login", "F-11", "the process exits when a login is cut off by a close (should)")
class DiesOnCutOffLogin(Server):
    def finished(self, client, end, part):
        if part and not client.name:
            die("struct.error: unpack requires a buffer of 6 bytes")
        super().finished(client, end, part)


@mistake("dies-on-close-before-login", "F-11", "the process exits when a client connects and closes without a word (should)")
class DiesOnCloseBeforeLogin(Server):
    def finished(self, client, end, part):
        if not client.name and end == "close" and not part:
            die("struct.error: unpack requires a buffer of 6 bytes")
        super().finished(client, end, part)


@mistake("cut-off-frame-relayed", "F-11", "what came of a frame that was cut off by a close is relayed as a message (should)")
class CutOffFrameRelayed(Server):
    def finished(self, client, end, part):
        if client.name and part and len(part) > self.header.size:
            text = part[self.header.size + self.unpack_header(part[:self.header.size])[0]:]
            if text:
                self.said(client, client.name, text)
        super().finished(client, end, part)


@mistake("cut-off-frame-kills-broadcast", "F-11", "after a frame was cut off by a close nobody receives anything any more (should)")
class CutOffFrameKillsBroadcast(StopsBroadcasting):
    def finished(self, client, end, part):
        super().finished(client, end, part)
        if part:
            self.stop()


def is_utf8(data):
    try:
        data.decode()
        return True
    except UnicodeDecodeError:
        return False


@mistake("dies-on-invalid-utf8", "F-11", "the process exits when a Username or Message is not UTF-8 (should)")
class DiesOnInvalidUTF8(Server):
    def read_frame(self, client):
        name, text = super().read_frame(client)
        if not is_utf8(name) or not is_utf8(text):
            die("UnicodeDecodeError")
        return name, text


@mistake("invalid-utf8-kills-broadcast", "F-11", "after a Username or Message that is not UTF-8 nobody receives anything any more (should)")
class InvalidUTF8KillsBroadcast(StopsBroadcasting):
    def read_frame(self, client):
        name, text = super().read_frame(client)
        if not is_utf8(name) or not is_utf8(text):
            self.stop()
        return name, text


@mistake("invalid-utf8-kills-accept-loop", "F-11", "after a login that is not UTF-8 newcomers are no longer served (should)")
class InvalidUTF8KillsAcceptLoop(StopsAccepting):
    def read_login(self, client):
        name, text = super().read_login(client)
        if not is_utf8(name) or not is_utf8(text):
            self.stop_accepting()
            raise Refused("UnicodeDecodeError")
        return name, text


@mistake("empty-username-kills", "F-11", "the process exits upon a login with an empty Username (should)")
class EmptyUsernameKills(Server):
    def empty_name(self, client):
        die("IndexError: index out of range")


@mistake("empty-username-drops-everybody", "F-11", "upon a login with an empty Username all clients are dropped (should)")
class EmptyUsernameDropsEverybody(Server):
    def empty_name(self, client):
        with self.lock:
            for other in self.others(client):
                other.drop()
        super().empty_name(client)


# ---------------------------------------------------------------- F-12: speaking under another's name

@mistake("impersonation", "F-12", "a message is relayed under whatever name its frame has (should)")
class Impersonation(Server):
    def said(self, client, name, text):
        self.chat(client, name, text)


# ---------------------------------------------------------------- F-13: a name that is in use

@mistake("duplicate-kicks-first", "F-13", "a second client of a name is let in and the first is dropped (should)")
class DuplicateKicksFirst(Server):
    def duplicate(self, client, name):
        for other in self.clients:
            if other.name == name:
                other.drop()


@mistake("duplicate-silences-first", "F-13", "a second client of a name is let in and the first receives nothing more: its entry is overwritten (should)")
class DuplicateSilencesFirst(Server):
    def duplicate(self, client, name):
        self.clients = [c for c in self.clients if c.name != name]


@mistake("refused-duplicate-silences-first", "F-13", "a second client of a name is refused, and the first receives nothing more: the clean-up of the second removes the entry of the first (should)")
class RefusedDuplicateSilencesFirst(Server):
    def duplicate(self, client, name):
        self.clients = [c for c in self.clients if c.name != name]
        super().duplicate(client, name)


@mistake("dies-on-duplicate", "F-13", "the process exits upon a second client of a name (should)")
class DiesOnDuplicate(Server):
    def duplicate(self, client, name):
        die("ValueError: name is taken")


# ---------------------------------------------------------------- F-14: a client that stops reading

@mistake("stalled-reader-blocks", "F-14", "a client that stops reading blocks everybody: sendall under the lock (should)")
class StalledReaderBlocks(Server):
    def deliver(self, client, frame):
        try:
            client.sock.sendall(frame)
        except OSError:
            pass


@mistake("stalled-reader-delays", "F-14", "every message waits a second for a client that has stopped reading, under the lock (should)")
class StalledReaderDelays(Server):
    def deliver(self, client, frame):
        deadline = time.monotonic() + 1
        while client.waiting > 1 << 20 and not client.dropped and time.monotonic() < deadline:
            time.sleep(0.005)
        super().deliver(client, frame)


class SendTimesOut(Server):
    """When the kernel takes nothing for a client for a quarter of a second, stalled() is called."""

    def accepted(self, client):
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 250_000))
        super().accepted(client)

    def send_failed(self, client, error):
        if isinstance(error, BlockingIOError):
            self.stalled(client)
        else:
            super().send_failed(client, error)


@mistake("stalled-reader-dropped-all", "F-14", "when sending to a client that has stopped reading times out, everybody is dropped (should)")
class StalledReaderDroppedAll(SendTimesOut):
    def stalled(self, client):
        with self.lock:
            for other in self.clients:
                other.drop()


@mistake("stalled-reader-kills-broadcast", "F-14", "when sending to a client that has stopped reading times out, nobody receives anything any more (should)")
class StalledReaderKillsBroadcast(SendTimesOut, StopsBroadcasting):
    def stalled(self, client):
        self.stop()


@mistake("dies-on-stalled-reader", "F-14", "when sending to a client that has stopped reading times out, the process exits (should)")
class DiesOnStalledReader(SendTimesOut):
    def stalled(self, client):
        die("BlockingIOError")


# ---------------------------------------------------------------- the program

def list_mistakes():
    for name, (requirements, about, _) in MISTAKES.items():
        if name != "none":
            print(f"{name}\t{requirements}\t{about}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true", help="print every mistake with its requirements")
    parser.add_argument("mistake", nargs="?", choices=MISTAKES, metavar="MISTAKE")
    parser.add_argument("port", nargs="?", type=int)
    parser.add_argument("--roster", type=float, default=1, metavar="SECONDS")
    args = parser.parse_args()
    if args.list:
        list_mistakes()
        return
    if args.port is None:
        parser.error("MISTAKE and PORT are needed")

    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    # Not a handler of our own: Python would run it only when the main thread wakes up.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _, _, server = MISTAKES[args.mistake]
    server(args.roster).run(args.port)


if __name__ == "__main__":
    main()
