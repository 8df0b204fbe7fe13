"""Line chat servers with exactly one mistake each.

Usage: python3 wrong.py MISTAKE [PORT]  without PORT a free one is taken and printed
       python3 wrong.py --list          name, requirements, one line about it; tab separated

"Server" is a correct server. Every other class changes the one place where its mistake is made.
The name "none" runs the correct one.
"""

import argparse
import collections
import os
import re
import select
import signal
import socket
import struct
import sys
import threading
import time

MAX_LINE = 64 * 1024        # bytes of the longest line that is accepted, without its end
MAX_OUTBOX = 64 << 20       # bytes waiting for one client before it is dropped
TCP_CLOSE = 7               # state of a socket after a reset, in Linux
REGISTER = re.compile(rb"REGISTER (\S+) CHAT/1\.0")
STOP = {signal.SIGINT, signal.SIGTERM}


class Refused(Exception):
    """The server does not want this client any longer."""


class Goodbye(Exception):
    """The client has said that it goes."""


class Closed(Exception):
    """The stream has ended, perhaps within a line of which a part came."""

    def __init__(self, part=b""):
        self.part = part


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.name = None                    # bytes, set by the registration
        self.rest = b""                     # read, but not yet looked at
        self.lines = collections.deque()    # complete ones (only used by some mistakes)
        self.outbox = collections.deque()
        self.waiting = 0                    # bytes in the outbox
        self.filled = threading.Condition()
        self.ending = False                 # nothing more is put into the outbox
        self.reset = False                  # a send told so
        self.writer = None                  # the thread that empties the outbox
        self.gone = threading.Event()       # nothing is left of this client

    def finish(self):
        """What waits in the outbox is still sent, and then comes the end of the stream."""
        with self.filled:
            self.ending = True
            self.filled.notify()

    def drop(self):
        with self.filled:
            self.ending = True
            self.outbox.clear()
            self.filled.notify()
        self.shutdown(socket.SHUT_RDWR)

    def shutdown(self, how):
        try:
            self.sock.shutdown(how)
        except OSError:
            pass


def die(why):
    """What an exception that nobody catches does to a server with a single thread."""
    print(f"the server dies: {why}", file=sys.stderr, flush=True)
    os._exit(1)


def is_utf8(data):
    try:
        data.decode()
        return True
    except UnicodeDecodeError:
        return False


class Server:
    def __init__(self):
        self.lock = threading.RLock()       # guards clients and the order of what is sent
        self.clients = []                   # registered, in the order of their registrations
        self.ended = False                  # the last words have been said

    # ---- connections

    def run(self, port):
        # Python runs handlers in the main thread only, so that one waits for signals and does nothing else.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
        listener = self.listen(port)
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()
        while not self.stop(signal.sigwait(STOP)):
            pass
        os._exit(0)

    def listen(self, port):
        listener = socket.create_server(("127.0.0.1", port), backlog=256)    # sets SO_REUSEADDR
        self.report(listener.getsockname()[1])
        return listener

    def report(self, port):
        print(f"listening on port {port}", flush=True)

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                time.sleep(0.05)
                continue
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                pass                        # gone again already
            client = Client(sock)
            client.writer = threading.Thread(target=self.write, args=(client,), daemon=True)
            client.writer.start()
            self.accepted(client)

    def accepted(self, client):
        threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        """The life of one connection."""
        if self.guarded(client, self.register):
            self.guarded(client, self.converse)

    def guarded(self, client, step):
        """Returns whether the client is still there after this step; cleans up if not."""
        try:
            step(client)
            return True
        except Refused:
            self.finished(client, "refusal", b"")
        except Goodbye:
            self.finished(client, "goodbye", b"")
        except OSError:
            self.finished(client, "reset", b"")
        except Closed as e:
            self.finished(client, "reset" if self.was_reset(client) else "close", e.part)
        return False

    def was_reset(self, client):
        """A failed send may have taken the error away from the read, which then sees an ordinary end."""
        return client.reset or client.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE

    def finished(self, client, end, part):
        """End is "goodbye", "close", "reset" or "refusal"; part is what came of a line that was cut off."""
        self.leave(client, end)
        self.hang_up(client)

    def leave(self, client, end):
        with self.lock:
            if client in self.clients:
                self.clients.remove(client)

    def hang_up(self, client):
        """Reads on for a while: to close with input unread would take the last words away from the client."""
        client.finish()
        deadline = time.monotonic() + 1
        poll = select.poll()
        poll.register(client.sock, select.POLLIN)
        try:
            while poll.poll(max(0, deadline - time.monotonic()) * 1000) and client.sock.recv(65536):
                pass
        except OSError:
            pass
        client.writer.join(max(0, deadline - time.monotonic()))
        client.drop()
        client.writer.join()
        client.sock.close()
        client.gone.set()

    # ---- the end of the server

    def stop(self, number):
        """Says the last words. Returns whether this is the end."""
        with self.lock:
            self.ended = True
            told = self.who_is_told(number)
            for client in told:
                self.deliver(client, self.last_words(client))
                client.finish()
        deadline = time.monotonic() + 0.5
        for client in told:
            client.gone.wait(max(0, deadline - time.monotonic()))
        return True

    def who_is_told(self, number):
        return list(self.clients)

    def last_words(self, client):
        return b"DISCONNECT CHAT/1.0"

    # ---- lines that come

    def recv(self, client):
        return client.sock.recv(65536)

    def read_line(self, client):
        while True:
            line = self.take_line(client)
            if line is not None:
                return line
            data = self.recv(client)
            if not data:
                raise Closed(client.rest)
            client.rest += data

    def take_line(self, client):
        """Returns the first line of what has been read, without its end, or None if it is not complete."""
        line, end, rest = client.rest.partition(b"\n")
        if not end:
            if len(line) > MAX_LINE + 1:    # a CR may be among them
                self.too_long(client)
            return None
        client.rest = rest
        line = line.removesuffix(b"\r")
        if len(line) > MAX_LINE:
            self.too_long(client)
        return line

    def read_text_line(self, client):
        line = self.read_line(client)
        if b"\0" in line:
            line = self.nul(client, line)
        if not is_utf8(line):
            line = self.not_utf8(client, line)
        return line

    def too_long(self, client):
        raise Refused

    def nul(self, client, line):
        raise Refused

    def not_utf8(self, client, line):
        raise Refused

    # ---- registration

    def read_registration(self, client):
        return self.read_text_line(client)

    def register(self, client):
        line = self.read_registration(client)
        name = self.name_in(line)
        if name is None:
            name = self.malformed(client, line)
        with self.lock:
            if self.ended:
                raise Refused
            if self.taken(name):
                self.duplicate(client, name)
            client.name = name
            self.welcome(client)
            self.clients.append(client)

    def name_in(self, line):
        match = REGISTER.fullmatch(line)
        return match and match[1]

    def taken(self, name):
        return any(c.name == name for c in self.clients)

    def welcome(self, client):
        self.deliver(client, b"200 Registration successful")

    def malformed(self, client, line):
        self.refuse(client, b"400 Invalid registration")

    def duplicate(self, client, name):
        self.refuse(client, b"401 Client already registered")

    def refuse(self, client, status):
        self.deliver(client, status)
        raise Refused

    # ---- what registered clients say

    def converse(self, client):
        while True:
            self.handle(client, self.read_text_line(client))

    def handle(self, client, line):
        prefix = b"@" + client.name + b": "
        if line.startswith(prefix):
            self.said(client, line[len(prefix):])
        elif line.startswith(b"@"):
            self.foreign(client, line)
        elif line == b"DISCONNECT " + client.name + b" CHAT/1.0":
            self.goodbye(client)
        elif self.name_in(line):
            self.registered_again(client, line)
        else:
            self.unknown(client, line)

    def said(self, client, text):
        with self.lock:
            if self.ended or client.ending:
                return
            for line in self.chat_lines(client, text):
                for receiver in self.recipients(client):
                    self.relay(receiver, line)

    def chat_lines(self, sender, text):
        """What is sent for a message: one line."""
        return [self.chat_line(self.sender_name(sender), self.changed(text))]

    def chat_line(self, name, text):
        return b"@" + name + b": " + text

    def sender_name(self, sender):
        return sender.name

    def changed(self, text):
        return text

    def others(self, client):
        return [c for c in self.clients if c is not client]

    def recipients(self, sender):
        return self.others(sender)

    def relay(self, receiver, line):
        self.deliver(receiver, line)

    def goodbye(self, client):
        raise Goodbye

    def foreign(self, client, line):
        """Another's name stands in front: ignored."""

    def registered_again(self, client, line):
        self.deliver(client, b"401 Client already registered")

    def unknown(self, client, line):
        """Ignored."""

    # ---- lines that go

    def deliver(self, client, line):
        """Puts the line into the client's outbox; never waits."""
        data = self.encode(line)
        with client.filled:
            if client.ending:
                return
            client.outbox.append(data)
            client.waiting += len(data)
            client.filled.notify()
            full = client.waiting > MAX_OUTBOX
        if full:
            client.drop()

    def encode(self, line):
        return line + b"\n"

    def write(self, client):
        """The thread that empties the outbox."""
        while True:
            with client.filled:
                while not client.outbox and not client.ending:
                    client.filled.wait()
                if not client.outbox:
                    break
                data = client.outbox.popleft()
            try:
                client.sock.sendall(data)
            except OSError as e:
                self.send_failed(client, e)
                return
            with client.filled:
                client.waiting -= len(data)
        client.shutdown(socket.SHUT_WR)

    def send_failed(self, client, error):
        """The thread that reads will notice; only nothing more is to be put into the outbox."""
        with client.filled:
            client.reset = isinstance(error, ConnectionResetError)
            client.ending = True
            client.outbox.clear()
        client.shutdown(socket.SHUT_WR)


MISTAKES = {"none": ("-", "no mistake, the correct server that all the others change", Server)}


def mistake(name, requirements, about):
    def register(cls):
        assert name not in MISTAKES
        MISTAKES[name] = (requirements, about, cls)
        return cls
    return register


class StopsBroadcasting(Server):
    """A server that relays no more once stop_broadcasting has been called."""
    broadcasting = True

    def stop_broadcasting(self):
        self.broadcasting = False

    def recipients(self, sender):
        return super().recipients(sender) if self.broadcasting else []


class StopsAccepting(Server):
    """A server that serves no newcomers once stop_accepting has been called."""
    accepting = True

    def stop_accepting(self):
        self.accepting = False

    def accepted(self, client):
        if self.accepting:
            super().accepted(client)


class DropsEverybody(Server):
    def drop_everybody(self):
        with self.lock:
            for client in list(self.clients):
                client.drop()


# ---------------------------------------------------------------- L-1: the port

@mistake("port-not-printed", "L-1", "started without a port, the server does not say which one it has")
class PortNotPrinted(Server):
    def report(self, port):
        print("server started, waiting for connections", flush=True)


@mistake("port-zero-printed", "L-1", "started without a port, the server prints the 0 that it has asked for")
class PortZeroPrinted(Server):
    def listen(self, port):
        self.report(port)
        return socket.create_server(("127.0.0.1", port), backlog=256)

    def report(self, port):
        print(f"listening on port {port}", flush=True)


@mistake("wrong-port-printed", "L-1", "started without a port, the server prints one at which it does not listen")
class WrongPortPrinted(Server):
    def listen(self, port):
        with socket.create_server(("127.0.0.1", 0)) as probe:       # looks for a free one, and then takes another
            self.report(port or probe.getsockname()[1])
            return socket.create_server(("127.0.0.1", port), backlog=256)


@mistake("port-printed-late", "L-1", "the port is printed, but stays in a buffer until the server stops")
class PortPrintedLate(Server):
    def report(self, port):
        self.port = port

    def stop(self, number):
        super().report(self.port)
        return super().stop(number)


@mistake("needs-a-port", "L-1", "started without a port, the server prints its usage and ends")
class NeedsAPort(Server):
    def listen(self, port):
        if not port:
            sys.exit("usage: server.py PORT")
        return super().listen(port)


# ---------------------------------------------------------------- L-3: several clients at the same time

@mistake("one-at-a-time", "L-3", "the next client is served only after the previous one has left")
class OneAtATime(Server):
    def accepted(self, client):
        self.serve(client)


@mistake("silent-blocks", "L-3", "a client that has connected and says nothing blocks newcomers: the registration is read in the accept loop")
class SilentBlocks(Server):
    def accepted(self, client):
        if self.guarded(client, self.register):
            threading.Thread(target=self.guarded, args=(client, self.converse), daemon=True).start()


@mistake("silent-blocks-everybody", "L-3", "a client that has connected and says nothing blocks all others: the registration is read under the lock")
class SilentBlocksEverybody(Server):
    def register(self, client):
        with self.lock:
            super().register(client)


class Limited(Server):
    most = 0

    def register(self, client):
        with self.lock:
            if len(self.clients) >= self.most:
                raise Refused
        super().register(client)


@mistake("max-two-clients", "L-3", "a third client is turned away")
class MaxTwoClients(Limited):
    most = 2


@mistake("max-three-clients", "L-3", "a fourth client is turned away")
class MaxThreeClients(Limited):
    most = 3


@mistake("max-ten-clients", "L-3", "an eleventh client is turned away (should)")
class MaxTenClients(Limited):
    most = 10


# ---------------------------------------------------------------- L-4: one line with the prefix

@mistake("prefix-missing", "L-4", "only the text is relayed, without @<user>: in front")
class PrefixMissing(Server):
    def chat_line(self, name, text):
        return text


@mistake("prefix-twice", "L-4", "the prefix is put in front of a line that has it already")
class PrefixTwice(Server):
    def chat_line(self, name, text):
        return b"@" + name + b": @" + name + b": " + text


@mistake("prefix-without-at", "L-4", "the prefix is <user>: without the @")
class PrefixWithoutAt(Server):
    def chat_line(self, name, text):
        return name + b": " + text


@mistake("prefix-without-colon", "L-4", "the prefix is @<user> without the colon")
class PrefixWithoutColon(Server):
    def chat_line(self, name, text):
        return b"@" + name + b" " + text


@mistake("prefix-without-blank", "L-4", "there is no blank between the colon and the text")
class PrefixWithoutBlank(Server):
    def chat_line(self, name, text):
        return b"@" + name + b":" + text


@mistake("prefix-with-time", "L-4", "the time of day is put in front of the prefix")
class PrefixWithTime(Server):
    def chat_line(self, name, text):
        return time.strftime("[%H:%M:%S] ").encode() + super().chat_line(name, text)


@mistake("text-on-next-line", "L-4", "the prefix and the text are sent as two lines")
class TextOnNextLine(Server):
    def chat_line(self, name, text):
        return b"@" + name + b": \n" + text


@mistake("name-upper-case", "L-4", "the sender's name is relayed in upper case")
class NameUpperCase(Server):
    def sender_name(self, sender):
        return sender.name.decode().upper().encode()


@mistake("name-truncated-8", "L-4", "a name of more than 8 characters is cut in the prefix")
class NameTruncated8(Server):
    def sender_name(self, sender):
        return sender.name.decode()[:8].encode()


@mistake("wrong-sender-name", "L-4", "messages are relayed under the name of who registered last")
class WrongSenderName(Server):
    def sender_name(self, sender):
        return self.clients[-1].name


@mistake("receiver-name-in-prefix", "L-4", "everybody gets a message with his own name in front")
class ReceiverNameInPrefix(Server):
    def chat_line(self, name, text):
        return text

    def relay(self, receiver, line):
        self.deliver(receiver, super().chat_line(receiver.name, line))


@mistake("address-for-name", "L-4", "the sender's address stands in the prefix instead of his name")
class AddressForName(Server):
    def sender_name(self, sender):
        try:
            host, port = sender.sock.getpeername()
        except OSError:
            host, port = "127.0.0.1", 0
        return f"{host}:{port}".encode()


# ---------------------------------------------------------------- L-5: to every other registered client

@mistake("relays-nothing", "L-5", "registrations are answered, messages are relayed to nobody")
class RelaysNothing(Server):
    def recipients(self, sender):
        return []


@mistake("echoes-to-sender", "L-5", "a message is also sent to its sender")
class EchoesToSender(Server):
    def recipients(self, sender):
        return list(self.clients)


@mistake("echoes-to-sender-only", "L-5", "a message is sent back to its sender and to nobody else")
class EchoesToSenderOnly(Server):
    def recipients(self, sender):
        return [sender]


@mistake("first-other-only", "L-5", "only the first of the others receives a message: a return stands in the loop")
class FirstOtherOnly(Server):
    def recipients(self, sender):
        return self.others(sender)[:1]


@mistake("last-joined-missing", "L-5", "who registered last receives nothing until another one comes")
class LastJoinedMissing(Server):
    def recipients(self, sender):
        return [c for c in self.clients[:-1] if c is not sender] if len(self.clients) > 2 else self.others(sender)


@mistake("only-later-ones", "L-5", "a message goes only to those who registered after its sender, if there are any")
class OnlyLaterOnes(Server):
    def recipients(self, sender):
        if sender not in self.clients:
            return []
        return self.clients[self.clients.index(sender) + 1:] or self.others(sender)


@mistake("message-to-one-twice", "L-5", "the first of the others receives every message twice")
class MessageToOneTwice(Server):
    def recipients(self, sender):
        others = self.others(sender)
        return others[:1] + others


@mistake("same-text-once", "L-5", "a text that is the same as the one before is not relayed")
class SameTextOnce(Server):
    last = None

    def said(self, client, text):
        last, self.last = self.last, (client, text)
        if last != self.last:
            super().said(client, text)


@mistake("first-message-only", "L-5", "only the first message of each client is relayed: the loop around the receiving is missing")
class FirstMessageOnly(Server):
    def said(self, client, text):
        if client.lines:
            return
        client.lines.append(text)
        super().said(client, text)


@mistake("text-truncated-1024", "L-5", "of a line only 1024 bytes are relayed")
class TextTruncated1024(Server):
    limit = 1024

    def chat_line(self, name, text):
        return super().chat_line(name, text)[:self.limit]


@mistake("text-truncated-2048", "L-5", "of a line only 2048 bytes are relayed")
class TextTruncated2048(TextTruncated1024):
    limit = 2048


@mistake("text-truncated-4096", "L-5", "of a line only 4096 bytes are relayed")
class TextTruncated4096(TextTruncated1024):
    limit = 4096


@mistake("text-split-1024", "L-5", "a text of more than 1024 bytes is relayed as several messages")
class TextSplit1024(Server):
    def chat_lines(self, sender, text):
        parts = [text[i:i + 1024] for i in range(0, len(text), 1024)] or [b""]
        return [self.chat_line(sender.name, part) for part in parts]


@mistake("long-text-drops-sender", "L-5", "who sends a line of more than 4096 bytes loses his connection")
class LongTextDropsSender(Server):
    def said(self, client, text):
        if len(text) > 4096:
            raise Refused
        super().said(client, text)


@mistake("text-stripped", "L-5", "blanks at both ends of a text are removed")
class TextStripped(Server):
    def changed(self, text):
        return text.strip()


@mistake("blanks-collapsed", "L-5", "several blanks in a text become one: it is split into words and joined again")
class BlanksCollapsed(Server):
    def changed(self, text):
        return b" ".join(word for word in text.split(b" ") if word)


@mistake("text-lower-case", "L-5", "texts are relayed in lower case")
class TextLowerCase(Server):
    def changed(self, text):
        return text.decode().lower().encode()


@mistake("first-word-only", "L-5", "only the first word of a text is relayed")
class FirstWordOnly(Server):
    def changed(self, text):
        return text.split(b" ")[0]


@mistake("text-cut-at-colon", "L-5", "a text ends at the next colon: the line is split at colons and the second part taken")
class TextCutAtColon(Server):
    def changed(self, text):
        return text.split(b": ")[0]


@mistake("text-cut-at-at", "L-5", "a text ends at an @: the line is split there")
class TextCutAtAt(Server):
    def changed(self, text):
        return text.split(b"@")[0]


@mistake("text-with-at-lost", "L-5", "a text that begins with @ is taken for a private message and lost")
class TextWithAtLost(Server):
    def said(self, client, text):
        if not text.startswith(b"@"):
            super().said(client, text)


@mistake("empty-text-dropped", "L-5", "a message without text is not relayed")
class EmptyTextDropped(Server):
    def said(self, client, text):
        if text:
            super().said(client, text)


@mistake("empty-text-is-goodbye", "L-5", "a message without text is taken for the end of the client")
class EmptyTextIsGoodbye(Server):
    def said(self, client, text):
        if not text:
            raise Goodbye
        super().said(client, text)


@mistake("non-ascii-dropped", "L-5", "letters outside ASCII vanish: the text is encoded as ASCII, errors ignored")
class NonASCIIDropped(Server):
    def changed(self, text):
        return text.decode().encode("ascii", "ignore")


@mistake("non-ascii-question-marks", "L-5", "letters outside ASCII become question marks")
class NonASCIIQuestionMarks(Server):
    def changed(self, text):
        return text.decode().encode("ascii", "replace")


@mistake("latin1-for-utf8", "L-5", "what comes as UTF-8 is read as Latin-1 and relayed as UTF-8")
class Latin1ForUTF8(Server):
    def changed(self, text):
        return text.decode("latin-1").encode()


@mistake("carriage-return-doubled", "L-5", "relayed lines end in CR CR LF")
class CarriageReturnDoubled(Server):
    def relay(self, receiver, line):
        self.deliver(receiver, line + b"\r\r")


@mistake("empty-line-after-each", "L-5", "an empty line follows every relayed message")
class EmptyLineAfterEach(Server):
    def relay(self, receiver, line):
        self.deliver(receiver, line + b"\n")


@mistake("arrivals-as-chat", "L-5", "an arrival is told to the others as a message of a user server, who does not exist")
class ArrivalsAsChat(Server):
    def welcome(self, client):
        super().welcome(client)
        for other in self.others(client):
            self.deliver(other, self.chat_line(b"server", client.name + b" has joined"))


@mistake("departures-as-chat", "L-5", "a departure is told to the others as a message of the one who has left")
class DeparturesAsChat(Server):
    def leave(self, client, end):
        super().leave(client, end)
        if client.name and not self.ended:
            with self.lock:
                for other in self.others(client):
                    self.deliver(other, self.chat_line(client.name, b"has left the chat"))


@mistake("departures-in-plain-words", "L-4", "a departure is told to the others in a line that is none of the protocol")
class DeparturesInPlainWords(Server):
    def leave(self, client, end):
        super().leave(client, end)
        if client.name and not self.ended:
            with self.lock:
                for other in self.others(client):
                    self.deliver(other, b"User " + client.name + b" left the chat")


# ---------------------------------------------------------------- L-7: a client that says goodbye

@mistake("goodbye-ignored", "L-7", "DISCONNECT is ignored: the client stays until it closes")
class GoodbyeIgnored(Server):
    def goodbye(self, client):
        pass


@mistake("goodbye-relayed", "L-7", "the DISCONNECT of a client is relayed to the others")
class GoodbyeRelayed(Server):
    def goodbye(self, client):
        with self.lock:
            for other in self.others(client):
                self.deliver(other, b"DISCONNECT " + client.name + b" CHAT/1.0")
        super().goodbye(client)


@mistake("goodbye-as-server", "L-7", "when a client says DISCONNECT, all others get the DISCONNECT CHAT/1.0 of a server that stops")
class GoodbyeAsServer(Server):
    def goodbye(self, client):
        with self.lock:
            for other in self.others(client):
                self.deliver(other, self.last_words(other))
        super().goodbye(client)


@mistake("goodbye-answered", "L-7", "DISCONNECT is answered with a status")
class GoodbyeAnswered(Server):
    def goodbye(self, client):
        self.deliver(client, b"200 Goodbye")
        super().goodbye(client)


@mistake("name-stays-after-goodbye", "L-7", "after DISCONNECT the name is taken for ever")
class NameStaysAfterGoodbye(Server):
    ends = ("goodbye",)

    def __init__(self):
        super().__init__()
        self.ghosts = set()

    def taken(self, name):
        return name in self.ghosts or super().taken(name)

    def leave(self, client, end):
        super().leave(client, end)
        if end in self.ends and client.name:
            self.ghosts.add(client.name)


@mistake("dies-on-goodbye", "L-7", "the process exits when a client says DISCONNECT")
class DiesOnGoodbye(Server):
    def goodbye(self, client):
        die("ValueError: list.remove(x): x not in list")


@mistake("goodbye-drops-everybody", "L-7", "when a client says DISCONNECT all connections are closed")
class GoodbyeDropsEverybody(DropsEverybody):
    def goodbye(self, client):
        self.drop_everybody()
        super().goodbye(client)


@mistake("goodbye-kills-broadcast", "L-7", "after a DISCONNECT nobody receives anything any more")
class GoodbyeKillsBroadcast(StopsBroadcasting):
    def goodbye(self, client):
        self.stop_broadcasting()
        super().goodbye(client)


@mistake("no-newcomers-after-goodbye", "L-7", "after a DISCONNECT newcomers are no longer served")
class NoNewcomersAfterGoodbye(StopsAccepting):
    def goodbye(self, client):
        self.stop_accepting()
        super().goodbye(client)


@mistake("goodbye-obeyed-late", "L-7", "after DISCONNECT the client still hears what the others say until it closes; only its name is free")
class GoodbyeObeyedLate(Server):
    def goodbye(self, client):
        with self.lock:
            client.name = b""       # free at once, but still in the list
        while self.recv(client):
            pass
        raise Closed


# ---------------------------------------------------------------- L-8: a server that stops

@mistake("interrupt-untold", "L-8", "the server ends on an interrupt without a word")
class InterruptUntold(Server):
    silent = {signal.SIGINT}

    def stop(self, number):
        return number in self.silent or super().stop(number)


@mistake("terminate-untold", "L-8", "the server ends on SIGTERM without a word (should)")
class TerminateUntold(InterruptUntold):
    silent = {signal.SIGTERM}


@mistake("stop-untold", "L-8", "the server ends without a word, however it is stopped")
class StopUntold(InterruptUntold):
    silent = STOP


@mistake("interrupt-ignored", "L-8", "an interrupt is ignored: the server tells nobody, and stays")
class InterruptIgnored(Server):
    def stop(self, number):
        return number != signal.SIGINT and super().stop(number)


@mistake("stop-told-to-first-only", "L-8", "only the first client is told that the server stops")
class StopToldToFirstOnly(Server):
    def who_is_told(self, number):
        return self.clients[:1]


@mistake("stop-told-to-last-only", "L-8", "only the last client is told that the server stops")
class StopToldToLastOnly(Server):
    def who_is_told(self, number):
        return self.clients[-1:]


@mistake("stop-without-version", "L-8", "the last words of the server are DISCONNECT alone")
class StopWithoutVersion(Server):
    def last_words(self, client):
        return b"DISCONNECT"


@mistake("stop-with-client-name", "L-8", "the last words of the server are DISCONNECT <user> CHAT/1.0, as a client says it")
class StopWithClientName(Server):
    def last_words(self, client):
        return b"DISCONNECT " + client.name + b" CHAT/1.0"


@mistake("stop-as-chat", "L-8", "that the server stops is told as a chat message")
class StopAsChat(Server):
    def last_words(self, client):
        return b"@server: the server is shutting down"


@mistake("told-but-stays", "L-8", "the clients are told that the server stops, and then it does not")
class ToldButStays(Server):
    def stop(self, number):
        with self.lock:
            for client in self.who_is_told(number):
                self.deliver(client, self.last_words(client))
        return False


@mistake("stop-waits-for-newcomer", "L-8", "the server stops only when the next client connects: a flag is looked at after accept")
class StopWaitsForNewcomer(Server):
    def __init__(self):
        super().__init__()
        self.newcomer = threading.Event()

    def accepted(self, client):
        self.newcomer.set()
        super().accepted(client)

    def stop(self, number):
        self.newcomer.clear()
        self.newcomer.wait()
        return super().stop(number)


@mistake("stop-waits-for-all-to-leave", "L-8", "the clients are told when the last one of them has left by itself")
class StopWaitsForAllToLeave(Server):
    def stop(self, number):
        for client in list(self.clients):
            client.gone.wait()
        return super().stop(number)


# ---------------------------------------------------------------- L-9: statuses

@mistake("no-200", "L-9", "a good registration is not answered (should)")
class No200(Server):
    def welcome(self, client):
        pass


@mistake("200-twice", "L-9", "a good registration is answered twice (should)")
class TwoHundredTwice(Server):
    def welcome(self, client):
        super().welcome(client)
        super().welcome(client)


@mistake("200-to-everybody", "L-9", "a good registration is answered to all clients (should)")
class TwoHundredToEverybody(Server):
    def welcome(self, client):
        for one in [client, *self.clients]:
            super().welcome(one)


@mistake("200-without-number", "L-9", "a good registration is answered in words without the number (should)")
class TwoHundredWithoutNumber(Server):
    def welcome(self, client):
        self.deliver(client, b"Registration successful")


@mistake("200-with-first-message", "L-9", "a good registration is answered only when the client has said something (should)")
class TwoHundredWithFirstMessage(Server):
    def welcome(self, client):
        pass

    def handle(self, client, line):
        if not client.lines:
            client.lines.append(line)
            super().welcome(client)
        super().handle(client, line)


@mistake("400-for-good-names", "L-9", "a name with a digit in it is malformed (should)")
class FourHundredForGoodNames(Server):
    def name_in(self, line):
        name = super().name_in(line)
        return name if name and not re.search(rb"[0-9]", name) else None


@mistake("no-401", "L-9", "who wants a name that is taken is hung up on without an answer (should)")
class No401(Server):
    def duplicate(self, client, name):
        raise Refused


@mistake("400-for-401", "L-9", "a name that is taken is answered 400 (should)")
class FourHundredFor401(Server):
    def duplicate(self, client, name):
        self.refuse(client, b"400 Invalid registration")


@mistake("no-400", "L-9", "a malformed registration is hung up on without an answer (should)")
class No400(Server):
    def malformed(self, client, line):
        raise Refused


@mistake("401-for-400", "L-9", "a malformed registration is answered 401 (should)")
class FourOhOneFor400(Server):
    def malformed(self, client, line):
        self.refuse(client, b"401 Client already registered")


@mistake("malformed-unanswered", "L-9", "a malformed registration is ignored, the connection waits for ever (should)")
class MalformedUnanswered(Server):
    def malformed(self, client, line):
        while True:
            name = self.name_in(self.read_registration(client))
            if name:
                return name


@mistake("malformed-accepted", "L-9", "REGISTER with anything behind it is a good registration (should)")
class MalformedAccepted(Server):
    def name_in(self, line):
        words = line.split()
        return words[1] if len(words) > 1 and words[0] == b"REGISTER" else None


@mistake("version-unchecked", "L-9", "a registration without the CHAT/1.0 is accepted (should)")
class VersionUnchecked(Server):
    def name_in(self, line):
        return super().name_in(line) or super().name_in(line + b" CHAT/1.0")


@mistake("two-word-name-accepted", "L-9", "a name of two words is accepted (should)")
class TwoWordNameAccepted(Server):
    def name_in(self, line):
        match = re.fullmatch(rb"REGISTER (\S.*) CHAT/1\.0", line)
        return match and match[1]


@mistake("empty-name-accepted", "L-9", "a registration with nothing for a name is accepted (should)")
class EmptyNameAccepted(Server):
    def name_in(self, line):
        match = re.fullmatch(rb"REGISTER (\S*) CHAT/1\.0", line)
        return match and match[1]


@mistake("refused-stays", "L-9", "a connection whose registration was refused is not ended (should)")
class RefusedStays(Server):
    def refuse(self, client, status):
        self.deliver(client, status)
        while self.recv(client):
            pass
        raise Closed


@mistake("duplicate-accepted", "L-9", "a second client may have a name that is taken (should)")
class DuplicateAccepted(Server):
    def duplicate(self, client, name):
        pass


@mistake("duplicate-kicks-first", "L-9", "a second client of a name is let in and the first is dropped (should)")
class DuplicateKicksFirst(Server):
    def duplicate(self, client, name):
        for other in list(self.clients):
            if other.name == name:
                self.clients.remove(other)
                other.drop()


@mistake("duplicate-silences-first", "L-9", "a second client of a name is let in and the first receives nothing more: its entry is overwritten (should)")
class DuplicateSilencesFirst(Server):
    def duplicate(self, client, name):
        self.clients = [c for c in self.clients if c.name != name]


@mistake("refused-duplicate-silences-first", "L-9", "a second client of a name is answered 401, and its clean-up takes the first one's entry away (should)")
class RefusedDuplicateSilencesFirst(Server):
    def duplicate(self, client, name):
        self.clients = [c for c in self.clients if c.name != name]
        super().duplicate(client, name)


@mistake("refused-duplicate-speaks", "L-9,L-11", "who was answered 401 may chat under the name all the same (should)")
class RefusedDuplicateSpeaks(Server):
    def duplicate(self, client, name):
        self.deliver(client, b"401 Client already registered")
        client.lines.append(name)

    def welcome(self, client):
        if not client.lines:
            super().welcome(client)


@mistake("dies-on-duplicate", "L-9", "the process exits when a name is registered a second time (should)")
class DiesOnDuplicate(Server):
    def duplicate(self, client, name):
        die("KeyError")


@mistake("dies-on-malformed", "L-9", "the process exits upon a malformed registration (should)")
class DiesOnMalformed(Server):
    def malformed(self, client, line):
        die("IndexError: list index out of range")


@mistake("malformed-kills-accept-loop", "L-9", "after a malformed registration newcomers are no longer served (should)")
class MalformedKillsAcceptLoop(StopsAccepting):
    def malformed(self, client, line):
        self.stop_accepting()
        super().malformed(client, line)


# ---------------------------------------------------------------- L-10: pieces and segments

@mistake("one-recv-is-one-line", "L-10", "what one recv returns is taken for one line, once a client is registered")
class OneRecvIsOneLine(Server):
    def read_text_line(self, client):
        if client.name and not client.rest:
            client.rest = self.recv(client)
            if not client.rest:
                raise Closed
            if not client.rest.endswith(b"\n"):
                client.rest += b"\n"
        return super().read_text_line(client)


@mistake("registration-in-one-recv", "L-10", "a registration that does not come in one piece is malformed")
class RegistrationInOneRecv(Server):
    def read_registration(self, client):
        client.rest = self.recv(client)
        if not client.rest:
            raise Closed
        if b"\n" not in client.rest:
            client.rest += b"\n"
        return super().read_registration(client)


@mistake("short-piece-malformed", "L-10", "a registration whose first piece ends within the word REGISTER is malformed")
class ShortPieceMalformed(Server):
    def read_registration(self, client):
        client.rest = self.recv(client)
        if not client.rest:
            raise Closed
        if len(client.rest) < len(b"REGISTER"):
            client.rest += b"\n"
        return super().read_registration(client)


@mistake("end-alone-lost", "L-10", "a line end that comes in a segment of its own is thrown away")
class EndAloneLost(Server):
    def recv(self, client):
        while data := super().recv(client):
            if data.strip():
                break
        return data


@mistake("begun-line-lost", "L-10", "of a line that has begun in the segment of another what has come is thrown away")
class BegunLineLost(Server):
    def recv(self, client):
        data = super().recv(client)
        if client.name and data.count(b"\n"):
            data = data[:data.rindex(b"\n") + 1]
        return data


@mistake("goodbye-overtakes", "L-10", "a DISCONNECT is looked for in what recv returns, and obeyed before the lines in front of it")
class GoodbyeOvertakes(Server):
    def recv(self, client):
        data = super().recv(client)
        if b"\nDISCONNECT" in data:
            raise Goodbye
        return data


@mistake("lines-merged", "L-10", "lines that come in one segment are merged: all their ends but the last are removed")
class LinesMerged(Server):
    def recv(self, client):
        data = super().recv(client)
        if client.name and data.endswith(b"\n"):
            data = data.replace(b"\n", b"") + b"\n"
        return data


@mistake("second-line-lost", "L-10", "what comes in the same segment after a message is thrown away (what comes after a registration is kept)")
class SecondLineLost(Server):
    def read_line(self, client):
        line = super().read_line(client)
        if client.name:
            client.rest = b""
        return line


@mistake("last-line-of-segment-only", "L-10", "of several lines in one segment only the last is taken")
class LastLineOfSegmentOnly(Server):
    def read_line(self, client):
        line = super().read_line(client)
        while client.name and b"\n" in client.rest:
            line = super().read_line(client)
        return line


@mistake("registration-and-message-lost", "L-10", "what comes in the same segment after the registration is thrown away")
class RegistrationAndMessageLost(Server):
    def read_registration(self, client):
        line = super().read_registration(client)
        client.rest = b""
        return line


@mistake("registration-and-message-malformed", "L-10", "a registration with a message in the same segment is malformed")
class RegistrationAndMessageMalformed(Server):
    def read_registration(self, client):
        line = super().read_registration(client)
        return line + b"\n" + client.rest if client.rest else line


@mistake("second-line-waits", "L-10", "a second line in the same segment is relayed only when the client sends more")
class SecondLineWaits(Server):
    def read_line(self, client):
        if client.rest:
            data = self.recv(client)
            if not data:
                raise Closed(client.rest)
            client.rest += data
        return super().read_line(client)


@mistake("pause-in-line-loses-it", "L-10", "a line that does not come within 20 ms is thrown away")
class PauseInLineLosesIt(Server):
    def recv(self, client):
        if client.rest and not select.select([client.sock], [], [], 0.02)[0]:
            client.rest = b""
        return super().recv(client)


@mistake("unfinished-line-blocks", "L-10", "while one client's line is unfinished nobody else is served: the rest of it is read under the lock")
class UnfinishedLineBlocks(Server):
    def recv(self, client):
        if not client.rest:
            return super().recv(client)
        with self.lock:
            while b"\n" not in client.rest:
                data = super().recv(client)
                if not data or len(client.rest) > MAX_LINE:
                    return data
                client.rest += data
            client.rest, last = client.rest[:-1], client.rest[-1:]
            return last


@mistake("character-in-one-recv", "L-10", "every piece is decoded on its own, so a character that comes in two pieces is mangled")
class CharacterInOneRecv(Server):
    def recv(self, client):
        data = super().recv(client)
        try:
            data.decode()
        except UnicodeDecodeError as e:
            # What is invalid elsewhere stays so, and is refused.
            if e.reason == "unexpected end of data" or e.start == 0 and 0x80 <= data[0] < 0xC0:
                data = data.decode("utf-8", "replace").encode()
        return data


@mistake("buffer-shared", "L-10", "pieces of lines of all clients are collected in one buffer")
class BufferShared(Server):
    buffer = b""

    def read_line(self, client):
        if client.name is None:
            return super().read_line(client)
        while True:
            if client.rest or client.lines:
                with self.lock:
                    self.buffer, client.rest = self.buffer + client.rest, b""
                    *lines, self.buffer = self.buffer.split(b"\n")
                    client.lines.extend(lines)
            if client.lines:
                line = client.lines.popleft().removesuffix(b"\r")
                if len(line) > MAX_LINE:
                    self.too_long(client)
                return line
            with self.lock:
                if len(self.buffer) > MAX_LINE + 1:
                    self.buffer = b""
                    self.too_long(client)
            client.rest = self.recv(client)
            if not client.rest:
                with self.lock:
                    self.buffer = b""
                raise Closed


# ---------------------------------------------------------------- L-11: who has not registered

@mistake("unregistered-relayed", "L-11", "a message of somebody who has not registered is relayed (should)")
class UnregisteredRelayed(Server):
    def malformed(self, client, line):
        if line.startswith(b"@"):
            with self.lock:
                for other in self.others(client):
                    self.deliver(other, line)
        super().malformed(client, line)


@mistake("unregistered-receives", "L-11", "messages are sent to everybody who has connected, registered or not (should)")
class UnregisteredReceives(Server):
    def __init__(self):
        super().__init__()
        self.connected = []

    def accepted(self, client):
        with self.lock:
            self.connected.append(client)
        super().accepted(client)

    def finished(self, client, end, part):
        with self.lock:
            self.connected.remove(client)
        super().finished(client, end, part)

    def recipients(self, sender):
        return [c for c in self.connected if c is not sender]


@mistake("greets-on-connect", "L-11", "a connection is greeted before it has registered (should)")
class GreetsOnConnect(Server):
    def accepted(self, client):
        self.deliver(client, b"Welcome! Please register.")
        super().accepted(client)


@mistake("unregistered-goodbye-obeyed", "L-11,L-12", "somebody who has not registered can disconnect a client with DISCONNECT <user> CHAT/1.0 (should)")
class UnregisteredGoodbyeObeyed(Server):
    def malformed(self, client, line):
        for other in list(self.clients):
            if line == b"DISCONNECT " + other.name + b" CHAT/1.0":
                other.drop()
        super().malformed(client, line)


# ---------------------------------------------------------------- L-12: speaking under another's name

@mistake("impersonation", "L-12", "a message is relayed under whatever name stands in front of it (should)")
class Impersonation(Server):
    def foreign(self, client, line):
        with self.lock:
            for other in self.others(client):
                self.deliver(other, line)


@mistake("impersonation-of-users", "L-12", "a message is relayed under another's name if there is a user of that name (should)")
class ImpersonationOfUsers(Impersonation):
    def foreign(self, client, line):
        if self.taken(line[1:].split(b":")[0]):
            super().foreign(client, line)


@mistake("anything-relayed", "L-4,L-12", "a line without a prefix is relayed as it is (should)")
class AnythingRelayed(Server):
    def unknown(self, client, line):
        with self.lock:
            for other in self.others(client):
                self.deliver(other, line)


@mistake("goodbye-for-another", "L-12", "a client can disconnect another one with DISCONNECT <user> CHAT/1.0 (should)")
class GoodbyeForAnother(Server):
    def unknown(self, client, line):
        for other in list(self.clients):
            if line == b"DISCONNECT " + other.name + b" CHAT/1.0":
                other.drop()


@mistake("client-stops-everybody", "L-12", "the DISCONNECT CHAT/1.0 of a client is passed on, and all others shut down (should)")
class ClientStopsEverybody(Server):
    def unknown(self, client, line):
        if line == self.last_words(client):
            with self.lock:
                for other in self.others(client):
                    self.deliver(other, line)


# ---------------------------------------------------------------- L-13: long lines, NUL, UTF-8, control words

@mistake("dies-on-long-line", "L-13", "the process exits upon a line of more than 64 KiB (should)")
class DiesOnLongLine(Server):
    def too_long(self, client):
        die("ValueError: Separator is found, but chunk is longer than limit")


@mistake("long-line-accepted", "L-13", "a line may have any length and is relayed (should)")
class LongLineAccepted(Server):
    def too_long(self, client):
        pass


@mistake("long-line-cut", "L-13", "of a line of more than 64 KiB the beginning is relayed (should)")
class LongLineCut(Server):
    def too_long(self, client):
        pass

    def said(self, client, text):
        super().said(client, text[:MAX_LINE - len(client.name) - 3])


@mistake("long-line-drops-everybody", "L-13", "upon a line of more than 64 KiB all clients are dropped (should)")
class LongLineDropsEverybody(DropsEverybody):
    def too_long(self, client):
        self.drop_everybody()
        super().too_long(client)


@mistake("long-line-blocks-everybody", "L-13", "the end of a line of more than 64 KiB is waited for under the lock (should)")
class LongLineBlocksEverybody(Server):
    def too_long(self, client):
        with self.lock:
            while self.recv(client):
                pass
        super().too_long(client)


@mistake("long-line-delays", "L-13", "a line of more than 64 KiB keeps everybody waiting for a second (should)")
class LongLineDelays(Server):
    def too_long(self, client):
        with self.lock:
            time.sleep(1)
        super().too_long(client)


@mistake("long-line-kills-broadcast", "L-13", "after a line of more than 64 KiB nobody receives anything any more (should)")
class LongLineKillsBroadcast(StopsBroadcasting):
    def too_long(self, client):
        self.stop_broadcasting()
        super().too_long(client)


@mistake("dies-on-nul", "L-13", "the process exits upon a NUL in a line (should)")
class DiesOnNUL(Server):
    def nul(self, client, line):
        die("ValueError: embedded null byte")


@mistake("nul-relayed", "L-13", "a line with a NUL in it is relayed (should)")
class NULRelayed(Server):
    def nul(self, client, line):
        return line


@mistake("text-cut-at-nul", "L-13", "a line ends at its first NUL, and what stands before it is relayed (should)")
class TextCutAtNUL(Server):
    def nul(self, client, line):
        return line.split(b"\0")[0]


@mistake("nul-kills-broadcast", "L-13", "after a line with a NUL in it nobody receives anything any more (should)")
class NULKillsBroadcast(StopsBroadcasting):
    def nul(self, client, line):
        self.stop_broadcasting()
        super().nul(client, line)


@mistake("dies-on-invalid-utf8", "L-13", "the process exits upon a line that is not UTF-8 (should)")
class DiesOnInvalidUTF8(Server):
    def not_utf8(self, client, line):
        die("UnicodeDecodeError")


@mistake("invalid-utf8-relayed", "L-13", "a line that is not UTF-8 is relayed (should)")
class InvalidUTF8Relayed(Server):
    def not_utf8(self, client, line):
        return line


@mistake("invalid-utf8-replaced", "L-13", "a line that is not UTF-8 is relayed with replacement characters (should)")
class InvalidUTF8Replaced(Server):
    def not_utf8(self, client, line):
        return line.decode("utf-8", "replace").encode()


@mistake("invalid-utf8-kills-broadcast", "L-13", "after a line that is not UTF-8 nobody receives anything any more (should)")
class InvalidUTF8KillsBroadcast(StopsBroadcasting):
    def not_utf8(self, client, line):
        self.stop_broadcasting()
        super().not_utf8(client, line)


@mistake("invalid-utf8-kills-accept-loop", "L-13", "after a registration that is not UTF-8 newcomers are no longer served (should)")
class InvalidUTF8KillsAcceptLoop(StopsAccepting):
    def not_utf8(self, client, line):
        if client.name is None:
            self.stop_accepting()
        super().not_utf8(client, line)


@mistake("dies-on-empty-line", "L-13", "the process exits upon a line with nothing in it (should)")
class DiesOnEmptyLine(Server):
    def read_text_line(self, client):
        line = super().read_text_line(client)
        if not line:
            die("IndexError: list index out of range")
        return line


@mistake("goodbye-in-text-obeyed", "L-13", "a message with the word DISCONNECT in its text disconnects its sender (should)")
class GoodbyeInTextObeyed(Server):
    def said(self, client, text):
        if b"DISCONNECT" in text:
            raise Goodbye
        super().said(client, text)


@mistake("goodbye-at-start-of-text-obeyed", "L-13", "a text that begins with DISCONNECT disconnects its sender (should)")
class GoodbyeAtStartOfTextObeyed(Server):
    def said(self, client, text):
        if text.startswith(b"DISCONNECT"):
            raise Goodbye
        super().said(client, text)


@mistake("register-in-text-obeyed", "L-13", "a message with the word REGISTER in its text is taken for a registration (should)")
class RegisterInTextObeyed(Server):
    def said(self, client, text):
        if b"REGISTER" in text:
            self.registered_again(client, text)
        else:
            super().said(client, text)


@mistake("version-in-text-obeyed", "L-13", "a message with CHAT/1.0 in its text is not relayed: it is taken for a control line (should)")
class VersionInTextObeyed(Server):
    def said(self, client, text):
        if b"CHAT/1.0" not in text:
            super().said(client, text)


# ---------------------------------------------------------------- L-14: clients that vanish

@mistake("name-stays-after-close", "L-14", "after a close without DISCONNECT the name is taken for ever (should)")
class NameStaysAfterClose(NameStaysAfterGoodbye):
    ends = ("close",)


@mistake("name-stays-after-reset", "L-14", "after a reset the name is taken for ever (should)")
class NameStaysAfterReset(NameStaysAfterGoodbye):
    ends = ("reset",)


@mistake("name-freed-late", "L-14", "a name is free only ten seconds after its client has vanished (should)")
class NameFreedLate(Server):
    def __init__(self):
        super().__init__()
        self.left = {}

    def taken(self, name):
        return time.monotonic() < self.left.get(name, 0) or super().taken(name)

    def leave(self, client, end):
        super().leave(client, end)
        if client.name and end != "goodbye":
            self.left[client.name] = time.monotonic() + 10


@mistake("dies-on-close", "L-14", "the process exits when a client closes without DISCONNECT (should)")
class DiesOnClose(Server):
    def finished(self, client, end, part):
        if end == "close" and client.name:
            die("IndexError: list index out of range")
        super().finished(client, end, part)


@mistake("dies-on-reset", "L-14", "the process exits when a client resets its connection (should)")
class DiesOnReset(Server):
    def finished(self, client, end, part):
        if end == "reset":
            die("ConnectionResetError: [Errno 104] Connection reset by peer")
        super().finished(client, end, part)


@mistake("dies-on-close-before-registration", "L-14", "the process exits when somebody connects and closes without a word (should)")
class DiesOnCloseBeforeRegistration(Server):
    def finished(self, client, end, part):
        if end == "close" and not client.name and not part:
            die("IndexError: list index out of range")
        super().finished(client, end, part)


@mistake("dies-on-cut-off-line", "L-14", "the process exits when a line is cut off by a close (should)")
class DiesOnCutOffLine(Server):
    def finished(self, client, end, part):
        if part:
            die("ValueError: substring not found")
        super().finished(client, end, part)


@mistake("stops-after-close", "L-14", "after a close without DISCONNECT nobody receives anything any more (should)")
class StopsAfterClose(StopsBroadcasting):
    end = "close"

    def finished(self, client, end, part):
        super().leave(client, end)
        if end == self.end and client.name:
            self.stop_broadcasting()
        super().finished(client, end, part)


@mistake("stops-after-reset", "L-14", "after a reset nobody receives anything any more (should)")
class StopsAfterReset(StopsAfterClose):
    end = "reset"


@mistake("no-newcomers-after-close", "L-14", "after a close without DISCONNECT newcomers are no longer served (should)")
class NoNewcomersAfterClose(StopsAccepting):
    end = "close"

    def finished(self, client, end, part):
        if end == self.end and client.name:
            self.stop_accepting()
        super().finished(client, end, part)


@mistake("no-newcomers-after-reset", "L-14", "after a reset newcomers are no longer served (should)")
class NoNewcomersAfterReset(NoNewcomersAfterClose):
    end = "reset"


@mistake("close-drops-everybody", "L-14", "when a client closes without DISCONNECT all others are dropped (should)")
class CloseDropsEverybody(DropsEverybody):
    def finished(self, client, end, part):
        super().leave(client, end)
        if end == "close" and client.name:
            self.drop_everybody()
        super().finished(client, end, part)


@mistake("dead-client-swallows-message", "L-14", "the first message after a client has vanished does not reach who registered after it: the send to it fails and ends the loop (should)")
class DeadClientSwallowsMessage(Server):
    def __init__(self):
        super().__init__()
        self.unreached = None

    def leave(self, client, end):
        with self.lock:
            if client in self.clients and end in ("close", "reset"):
                self.unreached = self.clients[self.clients.index(client) + 1:]
            super().leave(client, end)

    def said(self, client, text):
        with self.lock:
            super().said(client, text)
            self.unreached = None

    def recipients(self, sender):
        return [c for c in self.others(sender) if c not in (self.unreached or [])]


@mistake("comeback-hears-nothing", "L-14", "a client that comes back under its name receives nothing (should)")
class ComebackHearsNothing(Server):
    def __init__(self):
        super().__init__()
        self.known = {}     # name -> the first client that had it

    def welcome(self, client):
        super().welcome(client)
        self.known.setdefault(client.name, client)

    def recipients(self, sender):
        return [c for c in self.others(sender) if self.known[c.name] is c]


# ---------------------------------------------------------------- L-15: a client that stops reading

@mistake("stalled-reader-blocks", "L-15", "a client that stops reading blocks everybody: sendall under the lock (should)")
class StalledReaderBlocks(Server):
    def deliver(self, client, line):
        try:
            client.sock.sendall(self.encode(line))
        except OSError:
            pass


@mistake("stalled-reader-delays", "L-15", "every message waits a second for a client that has stopped reading, under the lock (should)")
class StalledReaderDelays(Server):
    def relay(self, receiver, line):
        deadline = time.monotonic() + 1
        while receiver.waiting > 1 << 16 and not receiver.ending and time.monotonic() < deadline:
            time.sleep(0.005)
        super().relay(receiver, line)


@mistake("stalled-reader-loses-pieces", "L-15,L-5", "what the kernel does not take at once is lost, so that a slow reader misses parts of lines (should)")
class StalledReaderLosesPieces(Server):
    def deliver(self, client, line):
        try:
            client.sock.send(self.encode(line), socket.MSG_DONTWAIT)
        except OSError:
            pass


class SendTimesOut(Server):
    """When the kernel takes nothing for a client for a twentieth of a second, stalled() is called."""

    def accepted(self, client):
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 50_000))
        super().accepted(client)

    def send_failed(self, client, error):
        if isinstance(error, BlockingIOError):
            self.stalled()
        super().send_failed(client, error)


@mistake("stalled-reader-drops-everybody", "L-15", "when sending to a client that has stopped reading times out, everybody is dropped (should)")
class StalledReaderDropsEverybody(SendTimesOut, DropsEverybody):
    def stalled(self):
        self.drop_everybody()


@mistake("stalled-reader-kills-broadcast", "L-15", "when sending to a client that has stopped reading times out, nobody receives anything any more (should)")
class StalledReaderKillsBroadcast(SendTimesOut, StopsBroadcasting):
    def stalled(self):
        self.stop_broadcasting()


@mistake("dies-on-stalled-reader", "L-15", "when sending to a client that has stopped reading times out, the process exits (should)")
class DiesOnStalledReader(SendTimesOut):
    def stalled(self):
        die("BlockingIOError")


@mistake("stop-waits-for-stalled-reader", "L-15,L-8", "the server waits for a client that has stopped reading before it stops (should)")
class StopWaitsForStalledReader(Server):
    def stop(self, number):
        super().stop(number)
        for client in list(self.clients):
            client.writer.join()
        return True


# ---------------------------------------------------------------- the program

def list_mistakes():
    for name, (requirements, about, _) in MISTAKES.items():
        if name != "none":
            print(f"{name}\t{requirements}\t{about}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true", help="print every mistake with its requirements")
    parser.add_argument("mistake", nargs="?", choices=MISTAKES, metavar="MISTAKE")
    parser.add_argument("port", nargs="?", type=int, default=0)
    args = parser.parse_args()
    if args.list:
        list_mistakes()
        return
    if args.mistake is None:
        parser.error("MISTAKE is needed")
    _, _, server = MISTAKES[args.mistake]
    server().run(args.port)


if __name__ == "__main__":
    main()
