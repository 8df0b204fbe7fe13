"""Servers for logging in, listing, sending and logging out, with exactly one mistake each.

Usage: python3 wrong.py MISTAKE PORT
       python3 wrong.py --list          name, requirements, one line about it; tab separated

"Server" is a correct server. Every other class changes the one place where its mistake is made.
The name "none" runs the correct one.
"""

import argparse
import collections
import os
import select
import signal
import socket
import struct
import sys
import threading
import time

LOGIN, LIST, SENDTO, LOGOUT = 1, 2, 3, 4
OK, FAILURE, MALFORMED = 0, 1, 2
MAX_NAME = 20               # characters
MAX_OUTBOX = 64 << 20       # bytes waiting for one client before it is dropped
LINGER = 2                  # seconds that a client has to read its last answers
TCP_CLOSE = 7               # state of a socket after a reset, in Linux


class Closed(Exception):
    """The stream has ended, perhaps within a packet."""


class Bad(Exception):
    """A packet that cannot be understood."""


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.name = None                    # bytes, while it is logged in
        self.rest = b""                     # read, but not yet looked at (only used by some mistakes)
        self.outbox = collections.deque()
        self.waiting = 0                    # bytes in the outbox
        self.filled = threading.Condition()
        self.ending = False                 # nothing more is put into the outbox
        self.reset = False                  # a send told so
        self.done = threading.Event()       # nobody reads from it any more

    def finish(self):
        """What waits in the outbox is still sent, and then comes the end of the stream."""
        with self.filled:
            self.ending = True
            self.filled.notify()

    def drop(self):
        """Whoever reads from it or writes to it notices."""
        with self.filled:
            self.ending = True
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
    def __init__(self):
        self.lock = threading.RLock()       # guards users and the order of what is sent
        self.users = {}                     # name -> Client, in the order of their logins
        self.connected = []

    # ---- connections

    def run(self, port):
        listener = socket.create_server(("127.0.0.1", port), backlog=256)
        print(f"listening on port {port}", flush=True)
        while True:
            sock, _ = listener.accept()
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                pass                        # gone again already
            client = Client(sock)
            threading.Thread(target=self.write, args=(client,), daemon=True).start()
            with self.lock:
                self.connected.append(client)
            self.accepted(client)

    def accepted(self, client):
        threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        """The life of one connection."""
        try:
            while self.serve_packet(client):
                pass
            end = "malformed"
        except Closed:
            end = "reset" if self.was_reset(client) else "close"
        except OSError:
            end = "reset"
        with self.lock:
            self.connected.remove(client)
        self.finished(client, end)
        client.done.set()

    def was_reset(self, client):
        """A failed send may have taken the error away from the read, which then sees an ordinary end."""
        return client.reset or client.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE

    def finished(self, client, end):
        """End is "close", "reset" or "malformed"."""
        with self.lock:
            if client.name is not None:
                self.forget(client)
        client.finish()

    def forget(self, client):
        """Called with the lock, for somebody who is logged in."""
        self.users.pop(client.name, None)
        client.name = None

    # ---- packets that come

    def serve_packet(self, client):
        """Tells whether there can be another one."""
        try:
            packet = self.read_packet(client)
        except Bad:
            return self.malformed(client)
        self.handle(client, *packet)
        return True

    def recv(self, client, count):
        return client.sock.recv(count)

    def read(self, client, count):
        data = b""
        while len(data) < count:
            chunk = self.recv(client, count - len(data))
            if not chunk:
                raise Closed
            data += chunk
        return data

    def read_packet(self, client):
        kind = self.read_type(client)
        if kind == LOGIN:
            return kind, self.read_name(client)
        if kind == SENDTO:
            name = self.read_name(client)
            return kind, name, self.read_text(client, self.read_text_length(client))
        if kind in (LIST, LOGOUT):
            return kind,
        raise Bad

    def read_type(self, client):
        return self.read(client, 1)[0]

    def read_name(self, client):
        return self.read(client, self.read(client, 1)[0])

    def read_text_length(self, client):
        return self.u16.unpack(self.read(client, 2))[0]

    def read_text(self, client, length):
        return self.read(client, length)

    def handle(self, client, kind, *fields):
        with self.lock:
            if kind == LOGIN:
                self.login(client, *fields)
            elif kind == LIST:
                self.list(client)
            elif kind == SENDTO:
                self.sendto(client, *fields)
            else:
                self.logout(client)

    # ---- what clients do; all are called with the lock

    def login(self, client, name):
        if client.name is not None:
            self.second_login(client, name)
        elif not self.acceptable(name):
            self.unacceptable(client, name)
        elif self.taken(name):
            self.duplicate(client, name)
        else:
            self.admit(client, name)
            self.answer(client, OK)

    def admit(self, client, name):
        client.name = name
        self.users[name] = client

    def taken(self, name):
        return name in self.users

    def acceptable(self, name):
        try:
            text = name.decode()
        except UnicodeDecodeError:
            return False
        return self.good_length(text) and self.good_characters(text)

    def good_length(self, text):
        return 1 <= len(text) <= MAX_NAME

    def good_characters(self, text):
        return not any(c.isspace() for c in text)

    def second_login(self, client, name):
        self.answer(client, FAILURE)

    def unacceptable(self, client, name):
        self.answer(client, FAILURE)

    def duplicate(self, client, name):
        self.answer(client, FAILURE)

    def list(self, client):
        self.send(client, self.list_reply(self.names(client)))

    def names(self, client):
        return list(self.users)

    def sendto(self, client, destination, text):
        if client.name is None:
            self.sendto_logged_out(client, destination, text)
            return
        receiver = self.find(destination)
        if receiver is None:
            self.unknown_user(client, destination, text)
            return
        self.deliver(client, receiver, destination, self.change(text))
        self.delivered(client)

    def find(self, destination):
        return self.users.get(destination)

    def change(self, text):
        return text

    def deliver(self, client, receiver, destination, text):
        self.send(receiver, self.delivery(client.name, text))

    def delivered(self, client):
        self.answer(client, OK)

    def sendto_logged_out(self, client, destination, text):
        self.answer(client, FAILURE)

    def unknown_user(self, client, destination, text):
        self.answer(client, FAILURE)

    def logout(self, client):
        if client.name is None:
            self.logout_logged_out(client)
        else:
            self.forget(client)
            self.logged_out(client)

    def logged_out(self, client):
        self.answer(client, OK)

    def logout_logged_out(self, client):
        self.answer(client, FAILURE)

    def malformed(self, client):
        """Tells whether to go on with this client."""
        self.answer(client, MALFORMED)
        return False

    # ---- packets that go

    u16 = struct.Struct(">H")

    def list_reply(self, names):
        return b"\x05" + self.u16.pack(len(names)) + b"".join(map(self.name_field, names))

    def name_field(self, name):
        return bytes([len(name)]) + name

    def delivery(self, sender, text):
        return b"\x07" + self.name_field(sender) + self.u16.pack(len(text)) + text

    def response(self, result):
        return bytes([6, result])

    def answer(self, client, result):
        self.send(client, self.response(result))

    def send(self, client, packet):
        """Puts the packet into the client's outbox; never waits."""
        with client.filled:
            if client.ending:
                return
            client.outbox.append(packet)
            client.waiting += len(packet)
            client.filled.notify()
            full = client.waiting > MAX_OUTBOX
        if full:
            client.drop()

    def write(self, client):
        """The thread that empties the outbox, and closes."""
        try:
            while True:
                with client.filled:
                    while not client.outbox and not client.ending:
                        client.filled.wait()
                    if not client.outbox:
                        break
                    packet = client.outbox.popleft()
                self.write_packet(client, packet)
                with client.filled:
                    client.waiting -= len(packet)
            self.linger(client)
        except OSError as e:
            client.reset = isinstance(e, ConnectionResetError)
            self.send_failed(client, e)
        client.done.wait()
        client.sock.close()

    def write_packet(self, client, packet):
        client.sock.sendall(packet)

    def linger(self, client):
        """A close with unread input would be a reset, which may overtake the last answer."""
        client.sock.shutdown(socket.SHUT_WR)
        client.sock.settimeout(LINGER)
        while client.sock.recv(65536):
            pass

    def send_failed(self, client, error):
        with client.filled:
            client.outbox.clear()
        try:
            client.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass


MISTAKES = {"none": ("-", "no mistake, the correct server that all the others change", Server)}


def mistake(name, requirements, about):
    def register(cls):
        assert name not in MISTAKES
        MISTAKES[name] = (requirements, about, cls)
        return cls
    return register


# ---------------------------------------------------------------- D-1: exactly one answer

@mistake("two-answers", "D-1", "every RESPONSE is sent twice")
class TwoAnswers(Server):
    def response(self, result):
        return 2 * super().response(result)


@mistake("two-lists", "D-1", "every LIST reply is sent twice")
class TwoLists(Server):
    def list_reply(self, names):
        return 2 * super().list_reply(names)


@mistake("no-answer-to-login", "D-1", "a successful login is not answered")
class NoAnswerToLogin(Server):
    def login(self, client, name):
        if client.name is None and self.acceptable(name) and not self.taken(name):
            self.admit(client, name)
        else:
            self.answer(client, FAILURE)


@mistake("no-answer-to-list", "D-1", "a list request is not answered")
class NoAnswerToList(Server):
    def list(self, client):
        pass


@mistake("no-answer-to-sendto", "D-1", "a sendto is delivered and not answered")
class NoAnswerToSendto(Server):
    def delivered(self, client):
        pass


@mistake("no-answer-to-logout", "D-1", "a logout is not answered")
class NoAnswerToLogout(Server):
    def logged_out(self, client):
        pass


@mistake("no-answer-to-failure", "D-1", "what fails is not answered")
class NoAnswerToFailure(Server):
    def answer(self, client, result):
        if result != FAILURE:
            super().answer(client, result)


@mistake("no-answer-to-unknown-user", "D-1", "a sendto to a user who does not exist is not answered")
class NoAnswerToUnknownUser(Server):
    def unknown_user(self, client, destination, text):
        pass


@mistake("no-answer-to-sendto-self", "D-1", "a sendto to oneself is delivered and not answered")
class NoAnswerToSendtoSelf(Server):
    def sendto(self, client, destination, text):
        if client.name is not None and destination == client.name:
            self.deliver(client, client, destination, text)
        else:
            super().sendto(client, destination, text)


@mistake("ok-instead-of-list", "D-1", "a list request is answered RESPONSE ok")
class OkInsteadOfList(Server):
    def list(self, client):
        self.answer(client, OK)


@mistake("ok-before-list", "D-1", "a list request is answered RESPONSE ok, and then LIST")
class OkBeforeList(Server):
    def list(self, client):
        self.answer(client, OK)
        super().list(client)


@mistake("list-after-login", "D-1", "a login is answered RESPONSE ok, and then LIST")
class ListAfterLogin(Server):
    def admit(self, client, name):
        super().admit(client, name)
        self.answer(client, OK)
        self.list(client)

    def login(self, client, name):
        if client.name is None and self.acceptable(name) and not self.taken(name):
            self.admit(client, name)
        else:
            self.answer(client, FAILURE)


@mistake("response-on-connect", "D-1", "a client that connects is sent RESPONSE ok before it has asked for anything")
class ResponseOnConnect(Server):
    def accepted(self, client):
        self.answer(client, OK)
        super().accepted(client)


@mistake("login-told-to-others", "D-1", "all who are logged in are sent a RESPONSE when somebody logs in")
class LoginToldToOthers(Server):
    def admit(self, client, name):
        for other in self.users.values():
            self.answer(other, OK)
        super().admit(client, name)


@mistake("logout-told-to-others", "D-1", "all others who are logged in are sent a LIST when somebody logs out or goes")
class LogoutToldToOthers(Server):
    def forget(self, client):
        super().forget(client)
        for other in self.users.values():
            self.list(other)


@mistake("receiver-gets-response", "D-1", "the receiver of a text gets the RESPONSE too")
class ReceiverGetsResponse(Server):
    def deliver(self, client, receiver, destination, text):
        super().deliver(client, receiver, destination, text)
        if receiver is not client:
            self.answer(receiver, OK)


@mistake("response-to-receiver-only", "D-1", "the RESPONSE to a sendto goes to the receiver of the text instead of its sender")
class ResponseToReceiverOnly(Server):
    def deliver(self, client, receiver, destination, text):
        super().deliver(client, receiver, destination, text)
        self.answer(receiver, OK)

    def delivered(self, client):
        pass


@mistake("list-to-everybody", "D-1", "the answer to a list request goes to everybody who is logged in too")
class ListToEverybody(Server):
    def list(self, client):
        for other in {client, *self.users.values()}:
            super().list(other)


@mistake("empty-list-is-failure", "D-1,D-3", "a list request is answered RESPONSE failure when nobody is logged in")
class EmptyListIsFailure(Server):
    def list(self, client):
        if self.users:
            super().list(client)
        else:
            self.answer(client, FAILURE)


@mistake("empty-list-not-answered", "D-1,D-3", "a list request is not answered when nobody is logged in")
class EmptyListNotAnswered(Server):
    def list(self, client):
        if self.users:
            super().list(client)


@mistake("result-inverted", "D-1", "a RESPONSE says 1 for ok and 0 for failure")
class ResultInverted(Server):
    def response(self, result):
        return super().response({OK: FAILURE, FAILURE: OK}.get(result, result))


@mistake("result-as-digit", "D-1", "the result of a RESPONSE is a digit in ASCII")
class ResultAsDigit(Server):
    def response(self, result):
        return super().response(ord("0") + result)


@mistake("result-without-type", "D-1", "a RESPONSE consists of its result only")
class ResultWithoutType(Server):
    def response(self, result):
        return bytes([result])


@mistake("result-in-two-bytes", "D-1", "the result of a RESPONSE has two bytes")
class ResultInTwoBytes(Server):
    def response(self, result):
        return bytes([6, 0, result])


@mistake("request-types-in-replies", "D-1", "LIST and SENDTO go out with the types of the requests, 2 and 3")
class RequestTypesInReplies(Server):
    def list_reply(self, names):
        return b"\x02" + super().list_reply(names)[1:]

    def delivery(self, sender, text):
        return b"\x03" + super().delivery(sender, text)[1:]


# ---------------------------------------------------------------- D-2: names

@mistake("login-forgotten", "D-2", "a login is answered ok and the name is not known afterwards")
class LoginForgotten(Server):
    def admit(self, client, name):
        client.name = name


@mistake("names-lower-cased", "D-2", "names are folded to lower case")
class NamesLowerCased(Server):
    def admit(self, client, name):
        super().admit(client, name.lower())

    def taken(self, name):
        return super().taken(name.lower())

    def find(self, destination):
        return super().find(destination.lower())


@mistake("taken-in-any-case", "D-2", "a name is refused when it differs from one in use only in its case")
class TakenInAnyCase(Server):
    def taken(self, name):
        return any(name.lower() == other.lower() for other in self.users)


@mistake("found-in-any-case", "D-2", "a sendto reaches a user whose name has another case")
class FoundInAnyCase(Server):
    def find(self, destination):
        return next((c for name, c in self.users.items() if name.lower() == destination.lower()), None)


@mistake("twenty-characters-refused", "D-2", "a name of exactly 20 characters is refused")
class TwentyCharactersRefused(Server):
    def good_length(self, text):
        return 1 <= len(text) < MAX_NAME


@mistake("name-cut-at-19", "D-2", "a name of 20 characters loses the last one")
class NameCutAt19(Server):
    def admit(self, client, name):
        super().admit(client, name[:19])


@mistake("name-cut-at-8", "D-2", "a name is cut after 8 bytes")
class NameCutAt8(Server):
    def admit(self, client, name):
        super().admit(client, name[:8])


@mistake("one-character-refused", "D-2", "a name of one character is refused")
class OneCharacterRefused(Server):
    def good_length(self, text):
        return 2 <= len(text) <= MAX_NAME


@mistake("bytes-for-characters", "D-2", "a name of at most 20 characters is refused when it has more than 20 bytes")
class BytesForCharacters(Server):
    def good_length(self, text):
        return 1 <= len(text.encode()) <= MAX_NAME


@mistake("letters-only", "D-2", "a name with anything but letters in it is refused")
class LettersOnly(Server):
    def good_characters(self, text):
        return text.isalpha()


@mistake("empty-name-accepted", "D-2", "an empty name is accepted (should)")
class EmptyNameAccepted(Server):
    def good_length(self, text):
        return len(text) <= MAX_NAME


@mistake("long-name-accepted", "D-2", "a name of more than 20 characters is accepted (should)")
class LongNameAccepted(Server):
    def good_length(self, text):
        return bool(text)


@mistake("long-name-cut", "D-2", "a name of more than 20 characters is cut and accepted (should)")
class LongNameCut(Server):
    def login(self, client, name):
        super().login(client, name[:MAX_NAME])


@mistake("21-characters-accepted", "D-2", "a name of 21 characters is accepted, a longer one refused (should)")
class TwentyOneCharactersAccepted(Server):
    def good_length(self, text):
        return 1 <= len(text) <= MAX_NAME + 1


@mistake("white-space-accepted", "D-2", "a name with white space is accepted (should)")
class WhiteSpaceAccepted(Server):
    def good_characters(self, text):
        return True


@mistake("tab-accepted", "D-2", "a name with white space is accepted when it is not a blank (should)")
class TabAccepted(Server):
    def good_characters(self, text):
        return " " not in text


@mistake("white-space-trimmed", "D-2", "white space around a name is removed, and the name accepted (should)")
class WhiteSpaceTrimmed(Server):
    def login(self, client, name):
        super().login(client, name.strip())


@mistake("duplicate-takes-over", "D-2", "a name in use is given to the second client, and the first is logged in under no name any more (should)")
class DuplicateTakesOver(Server):
    def duplicate(self, client, name):
        self.forget(self.users[name])
        self.admit(client, name)
        self.answer(client, OK)


@mistake("duplicate-kicks-first", "D-2", "a name in use is given to the second client, and the first is disconnected (should)")
class DuplicateKicksFirst(Server):
    def duplicate(self, client, name):
        first = self.users[name]
        self.forget(first)
        first.drop()
        self.admit(client, name)
        self.answer(client, OK)


@mistake("duplicate-told-ok", "D-2", "a second client of a name is told ok, and not logged in (should)")
class DuplicateToldOk(Server):
    def duplicate(self, client, name):
        self.answer(client, OK)


@mistake("duplicate-is-malformed", "D-2", "a second client of a name is answered malformed packet instead of failure (should)")
class DuplicateIsMalformed(Server):
    def duplicate(self, client, name):
        self.answer(client, MALFORMED)


@mistake("duplicate-disconnected", "D-2,D-1", "a second client of a name is disconnected without an answer")
class DuplicateDisconnected(Server):
    def duplicate(self, client, name):
        client.drop()


@mistake("refused-duplicate-logs-out-first", "D-2", "a second client of a name is refused, and the first is no longer known (should)")
class RefusedDuplicateLogsOutFirst(Server):
    def duplicate(self, client, name):
        self.forget(self.users[name])
        super().duplicate(client, name)


@mistake("dies-on-duplicate", "D-2,D-13", "the process exits upon a second client of a name (should)")
class DiesOnDuplicate(Server):
    def duplicate(self, client, name):
        die("KeyError")


@mistake("second-login-renames", "D-2", "a second login on one connection gives it the new name (should)")
class SecondLoginRenames(Server):
    def second_login(self, client, name):
        self.forget(client)
        self.admit(client, name)
        self.answer(client, OK)


@mistake("second-login-adds-name", "D-2", "a second login on one connection gives it a second name (should)")
class SecondLoginAddsName(Server):
    def second_login(self, client, name):
        self.users[name] = client
        self.answer(client, OK)


@mistake("second-login-told-ok", "D-2", "a second login on one connection is told ok, and nothing changes (should)")
class SecondLoginToldOk(Server):
    def second_login(self, client, name):
        self.answer(client, OK)


@mistake("second-login-logs-out", "D-2", "a second login on one connection is told failure, and the first name is forgotten (should)")
class SecondLoginLogsOut(Server):
    def second_login(self, client, name):
        self.forget(client)
        self.answer(client, FAILURE)


# ---------------------------------------------------------------- D-3: the list

@mistake("list-misses-last", "D-3", "the user who logged in last is not in the list")
class ListMissesLast(Server):
    def names(self, client):
        return super().names(client)[:-1]


@mistake("list-misses-first", "D-3", "the user who logged in first is not in the list when there are others")
class ListMissesFirst(Server):
    def names(self, client):
        names = super().names(client)
        return names[1:] if len(names) > 1 else names


@mistake("list-without-oneself", "D-3", "who asks for the list is not in it")
class ListWithoutOneself(Server):
    def names(self, client):
        return [name for name in super().names(client) if name != client.name]


@mistake("list-of-oneself", "D-3", "who is logged in gets a list of only himself")
class ListOfOneself(Server):
    def names(self, client):
        return super().names(client) if client.name is None else [client.name]


@mistake("list-names-logged-out", "D-3,D-6", "who has logged out stays in the list")
class ListNamesLoggedOut(Server):
    def __init__(self):
        super().__init__()
        self.ghosts = []

    def logout(self, client):
        if client.name is not None:
            self.ghosts.append(client.name)
        super().logout(client)

    def names(self, client):
        names = super().names(client)
        return names + [ghost for ghost in self.ghosts if ghost not in names]


@mistake("list-only-for-logged-in", "D-3", "who is not logged in is answered failure instead of the list")
class ListOnlyForLoggedIn(Server):
    def list(self, client):
        if client.name is None:
            self.answer(client, FAILURE)
        else:
            super().list(client)


@mistake("list-empty-for-logged-out", "D-3", "who is not logged in gets an empty list")
class ListEmptyForLoggedOut(Server):
    def names(self, client):
        return super().names(client) if client.name is not None else []


@mistake("list-as-of-login", "D-3", "the list shows who was there when the asker logged in")
class ListAsOfLogin(Server):
    def admit(self, client, name):
        super().admit(client, name)
        client.seen = list(self.users)

    def names(self, client):
        return client.seen if client.name is not None else super().names(client)


@mistake("list-names-connections", "D-3", "the list has an empty name for every connection that is not logged in")
class ListNamesConnections(Server):
    def names(self, client):
        return [c.name or b"" for c in self.connected]


@mistake("list-counts-one-less", "D-3", "the count of a list is one too low")
class ListCountsOneLess(Server):
    def list_reply(self, names):
        return b"\x05" + self.u16.pack(max(0, len(names) - 1)) + b"".join(map(self.name_field, names))


@mistake("list-counts-one-more", "D-3", "the count of a list is one too high")
class ListCountsOneMore(Server):
    def list_reply(self, names):
        return b"\x05" + self.u16.pack(len(names) + 1) + b"".join(map(self.name_field, names))


@mistake("list-counts-bytes", "D-3", "the count of a list is its length in bytes")
class ListCountsBytes(Server):
    def list_reply(self, names):
        fields = b"".join(map(self.name_field, names))
        return b"\x05" + self.u16.pack(len(fields)) + fields


@mistake("list-count-little-endian", "D-3", "the count of a list is little-endian")
class ListCountLittleEndian(Server):
    def list_reply(self, names):
        return b"\x05" + struct.pack("<H", len(names)) + super().list_reply(names)[3:]


@mistake("list-count-in-one-byte", "D-3", "the count of a list has one byte")
class ListCountInOneByte(Server):
    def list_reply(self, names):
        return b"\x05" + super().list_reply(names)[2:]


@mistake("list-twice-the-same", "D-3", "the last user stands twice in the list")
class ListTwiceTheSame(Server):
    def names(self, client):
        names = super().names(client)
        return names + names[-1:]


@mistake("list-of-ten", "D-3", "a list has at most ten names")
class ListOfTen(Server):
    def names(self, client):
        return super().names(client)[:10]


@mistake("list-cut-at-256", "D-3", "a LIST reply is cut after 256 bytes")
class ListCutAt256(Server):
    def list_reply(self, names):
        return super().list_reply(names)[:256]


@mistake("list-in-one-name", "D-3", "a list is one name, with all names in it and commas between them")
class ListInOneName(Server):
    def names(self, client):
        return [b",".join(super(ListInOneName, self).names(client))[:255]]


@mistake("names-zero-terminated", "D-3,D-4", "names are sent with a zero byte at their end")
class NamesZeroTerminated(Server):
    def name_field(self, name):
        return super().name_field(name + b"\0")


@mistake("names-padded", "D-3", "names in a list are padded to 20 bytes with blanks")
class NamesPadded(Server):
    def names(self, client):
        return [name.ljust(20) for name in super().names(client)]


# ---------------------------------------------------------------- D-4: sending to one user

@mistake("sendto-to-all", "D-4", "a text goes to everybody who is logged in")
class SendtoToAll(Server):
    def deliver(self, client, receiver, destination, text):
        for other in self.users.values():
            self.send(other, self.delivery(client.name, text))


@mistake("sendto-to-all-others", "D-4", "a text goes to everybody who is logged in, except its sender")
class SendtoToAllOthers(Server):
    def deliver(self, client, receiver, destination, text):
        for other in self.users.values():
            if other is not client:
                self.send(other, self.delivery(client.name, text))


@mistake("sendto-to-sender", "D-4", "a text comes back to its sender instead of going to its receiver")
class SendtoToSender(Server):
    def deliver(self, client, receiver, destination, text):
        super().deliver(client, client, destination, text)


@mistake("sendto-echoed", "D-4", "a text goes to its receiver, and to its sender too")
class SendtoEchoed(Server):
    def deliver(self, client, receiver, destination, text):
        super().deliver(client, receiver, destination, text)
        if receiver is not client:
            super().deliver(client, client, destination, text)


@mistake("sendto-to-connections-too", "D-4", "a text goes to its receiver, and to all connections that are not logged in")
class SendtoToConnectionsToo(Server):
    def deliver(self, client, receiver, destination, text):
        super().deliver(client, receiver, destination, text)
        for other in self.connected:
            if other.name is None:
                super().deliver(client, other, destination, text)


@mistake("sendto-to-nobody", "D-4", "a sendto is answered ok and delivered to nobody")
class SendtoToNobody(Server):
    def deliver(self, client, receiver, destination, text):
        pass


@mistake("sendto-to-next", "D-4", "a text goes to the user who logged in after its receiver")
class SendtoToNext(Server):
    def find(self, destination):
        if destination not in self.users:
            return None
        names = list(self.users)
        return self.users[names[(names.index(destination) + 1) % len(names)]]


@mistake("sendto-by-beginning", "D-4", "a text goes to the first user whose name begins with the destination")
class SendtoByBeginning(Server):
    def find(self, destination):
        return next((c for name, c in self.users.items() if name.startswith(destination)), None)


@mistake("sendto-self-refused", "D-4", "a sendto to oneself is answered failure")
class SendtoSelfRefused(Server):
    def sendto(self, client, destination, text):
        if client.name is not None and destination == client.name:
            self.answer(client, FAILURE)
        else:
            super().sendto(client, destination, text)


@mistake("sendto-twice", "D-4", "a text is delivered twice")
class SendtoTwice(Server):
    def deliver(self, client, receiver, destination, text):
        super().deliver(client, receiver, destination, text)
        super().deliver(client, receiver, destination, text)


@mistake("same-text-once", "D-4", "a text that is the same as the one before is not delivered")
class SameTextOnce(Server):
    last = None

    def deliver(self, client, receiver, destination, text):
        if (receiver, text) != self.last:
            super().deliver(client, receiver, destination, text)
        self.last = (receiver, text)


@mistake("failure-though-delivered", "D-4", "a sendto is delivered and answered failure")
class FailureThoughDelivered(Server):
    def delivered(self, client):
        self.answer(client, FAILURE)


@mistake("unknown-user-ok", "D-4", "a sendto to a user who does not exist is answered ok (should)")
class UnknownUserOk(Server):
    def unknown_user(self, client, destination, text):
        self.answer(client, OK)


@mistake("unknown-user-malformed", "D-4", "a sendto to a user who does not exist is answered malformed packet (should)")
class UnknownUserMalformed(Server):
    def unknown_user(self, client, destination, text):
        self.answer(client, MALFORMED)


@mistake("unknown-user-goes-to-all", "D-4", "a text for a user who does not exist goes to everybody else (should)")
class UnknownUserGoesToAll(Server):
    def unknown_user(self, client, destination, text):
        for other in self.users.values():
            if other is not client:
                self.deliver(client, other, destination, text)
        self.answer(client, FAILURE)


@mistake("unknown-user-closes", "D-4,D-1", "a sendto to a user who does not exist closes the connection of its sender")
class UnknownUserCloses(Server):
    def unknown_user(self, client, destination, text):
        client.drop()


@mistake("kept-for-later", "D-4", "a text for a user who is not there is kept until he logs in, and answered ok (should)")
class KeptForLater(Server):
    def __init__(self):
        super().__init__()
        self.kept = collections.defaultdict(list)

    def unknown_user(self, client, destination, text):
        self.kept[destination].append(self.delivery(client.name, text))
        self.answer(client, OK)

    def login(self, client, name):
        super().login(client, name)
        if client.name == name:
            for packet in self.kept.pop(name, []):
                self.send(client, packet)


@mistake("logged-out-user-told-ok", "D-4", "a sendto to a user who has logged out is answered ok, and delivered to nobody (should)")
class LoggedOutUserToldOk(Server):
    def __init__(self):
        super().__init__()
        self.known = set()

    def admit(self, client, name):
        super().admit(client, name)
        self.known.add(name)

    def unknown_user(self, client, destination, text):
        self.answer(client, OK if destination in self.known else FAILURE)


@mistake("logged-out-user-reached", "D-4,D-6", "a text reaches a user who has logged out, at his old connection (should)")
class LoggedOutUserReached(Server):
    def __init__(self):
        super().__init__()
        self.last = {}

    def admit(self, client, name):
        super().admit(client, name)
        self.last[name] = client

    def find(self, destination):
        return self.last.get(destination)

    def finished(self, client, end):
        with self.lock:
            self.last = {name: other for name, other in self.last.items() if other is not client}
        super().finished(client, end)


@mistake("logged-out-sender-delivered", "D-4", "a sendto of somebody who is not logged in is delivered, from nobody, and answered ok (should)")
class LoggedOutSenderDelivered(Server):
    def sendto_logged_out(self, client, destination, text):
        receiver = self.find(destination)
        if receiver is None:
            self.answer(client, FAILURE)
        else:
            self.send(receiver, self.delivery(b"", text))
            self.answer(client, OK)


@mistake("logged-out-sender-under-old-name", "D-4,D-6", "somebody who has logged out can still send under his old name (should)")
class LoggedOutSenderUnderOldName(Server):
    def admit(self, client, name):
        super().admit(client, name)
        client.old_name = name

    def sendto_logged_out(self, client, destination, text):
        receiver = self.find(destination)
        name = getattr(client, "old_name", None)
        if receiver is None or name is None:
            self.answer(client, FAILURE)
        else:
            self.send(receiver, self.delivery(name, text))
            self.answer(client, OK)


@mistake("logged-out-sender-told-ok", "D-4", "a sendto of somebody who is not logged in is answered ok, and delivered to nobody (should)")
class LoggedOutSenderToldOk(Server):
    def sendto_logged_out(self, client, destination, text):
        self.answer(client, OK)


@mistake("logged-out-sender-not-answered", "D-1", "a sendto of somebody who is not logged in is not answered")
class LoggedOutSenderNotAnswered(Server):
    def sendto_logged_out(self, client, destination, text):
        pass


@mistake("wrong-sender-name", "D-4", "texts come from whoever logged in last")
class WrongSenderName(Server):
    def deliver(self, client, receiver, destination, text):
        self.send(receiver, self.delivery(list(self.users)[-1], text))


@mistake("destination-for-sender", "D-4", "a text comes with the destination in the place of its sender")
class DestinationForSender(Server):
    def deliver(self, client, receiver, destination, text):
        self.send(receiver, self.delivery(destination, text))


@mistake("no-sender-name", "D-4", "a text comes with an empty name for its sender")
class NoSenderName(Server):
    def delivery(self, sender, text):
        return super().delivery(b"", text)


@mistake("sender-name-in-text", "D-4", "the sender's name stands in front of the text too")
class SenderNameInText(Server):
    def delivery(self, sender, text):
        return super().delivery(sender, (sender + b": " + text)[:65535])


@mistake("lengths-little-endian", "D-4", "the length of a text is little-endian, both ways")
class LengthsLittleEndian(Server):
    def read_text_length(self, client):
        return struct.unpack("<H", self.read(client, 2))[0]

    def delivery(self, sender, text):
        return b"\x07" + self.name_field(sender) + struct.pack("<H", len(text)) + text


@mistake("length-little-endian-out", "D-4", "the length of a text that goes out is little-endian")
class LengthLittleEndianOut(Server):
    def delivery(self, sender, text):
        return b"\x07" + self.name_field(sender) + struct.pack("<H", len(text)) + text


@mistake("length-in-characters", "D-4", "the length of a text that goes out counts characters")
class LengthInCharacters(Server):
    def delivery(self, sender, text):
        count = len(text.decode(errors="replace"))
        return b"\x07" + self.name_field(sender) + self.u16.pack(count) + text


@mistake("text-trimmed", "D-4", "white space at both ends of a text is removed")
class TextTrimmed(Server):
    def change(self, text):
        return text.strip()


@mistake("text-upper-cased", "D-4", "texts are delivered in upper case")
class TextUpperCased(Server):
    def change(self, text):
        return text.upper()


@mistake("text-mangled-utf8", "D-4", "what is not ASCII becomes question marks")
class TextMangledUTF8(Server):
    def change(self, text):
        return text.decode(errors="replace").encode("ascii", errors="replace")


@mistake("text-latin1-for-utf8", "D-4", "texts are read as Latin-1 and written as UTF-8")
class TextLatin1ForUTF8(Server):
    def change(self, text):
        return text.decode("latin-1").encode()[:65535]


@mistake("text-cut-at-newline", "D-4", "a text ends at its first line break")
class TextCutAtNewline(Server):
    def change(self, text):
        return text.partition(b"\n")[0]


@mistake("text-cut-at-zero", "D-4", "a text ends at its first zero byte")
class TextCutAtZero(Server):
    def change(self, text):
        return text.partition(b"\0")[0]


@mistake("text-first-word", "D-4", "a text ends at its first blank")
class TextFirstWord(Server):
    def change(self, text):
        return text.partition(b" ")[0]


@mistake("text-with-newline", "D-4", "a line break is added to texts")
class TextWithNewline(Server):
    def change(self, text):
        return text[:65534] + b"\n"


@mistake("empty-text-not-delivered", "D-4", "an empty text is answered ok and not delivered")
class EmptyTextNotDelivered(Server):
    def deliver(self, client, receiver, destination, text):
        if text:
            super().deliver(client, receiver, destination, text)


# ---------------------------------------------------------------- D-5: long texts

class CutsText(Server):
    most = 65535

    def change(self, text):
        return text[:self.most]


@mistake("text-cut-at-255", "D-5", "a text is cut after 255 bytes")
class TextCutAt255(CutsText):
    most = 255


@mistake("text-cut-at-1024", "D-5", "a text is cut after 1,024 bytes")
class TextCutAt1024(CutsText):
    most = 1024


@mistake("text-cut-at-4096", "D-5", "a text is cut after 4,096 bytes")
class TextCutAt4096(CutsText):
    most = 4096


@mistake("text-cut-at-32767", "D-5", "a text is cut after 32,767 bytes")
class TextCutAt32767(CutsText):
    most = 32767


@mistake("text-cut-at-65534", "D-5", "a text is cut after 65,534 bytes")
class TextCutAt65534(CutsText):
    most = 65534


@mistake("text-split-at-1024", "D-5", "a text of more than 1,024 bytes arrives as several")
class TextSplitAt1024(Server):
    def deliver(self, client, receiver, destination, text):
        for start in range(0, max(1, len(text)), 1024):
            super().deliver(client, receiver, destination, text[start:start + 1024])


@mistake("long-text-refused", "D-5", "a text of more than 4,096 bytes is answered failure")
class LongTextRefused(Server):
    def sendto(self, client, destination, text):
        if len(text) > 4096:
            self.answer(client, FAILURE)
        else:
            super().sendto(client, destination, text)


@mistake("length-is-signed", "D-5", "the length of a text is taken for a signed number, and one that is negative for malformed")
class LengthIsSigned(Server):
    def read_text_length(self, client):
        length = super().read_text_length(client)
        if length > 32767:
            raise Bad
        return length


@mistake("longest-text-kills", "D-5", "the process exits upon a text of 65,535 bytes: no room for the zero byte at its end")
class LongestTextKills(Server):
    def change(self, text):
        if len(text) == 65535:
            die("IndexError")
        return text


@mistake("partial-send", "D-5", "the rest of a packet that the kernel does not take at once is lost")
class PartialSend(Server):
    def accepted(self, client):
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        super().accepted(client)

    def write_packet(self, client, packet):
        try:
            client.sock.send(packet, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass


# ---------------------------------------------------------------- D-6: logging out

@mistake("logout-closes", "D-6", "a logout is answered, and then the connection is closed")
class LogoutCloses(Server):
    def logged_out(self, client):
        super().logged_out(client)
        client.finish()


@mistake("logout-without-answer-closes", "D-6,D-1", "a logout closes the connection")
class LogoutWithoutAnswerCloses(Server):
    def logged_out(self, client):
        client.drop()


@mistake("login-after-logout-refused", "D-6", "a connection that has logged out cannot log in again")
class LoginAfterLogoutRefused(Server):
    def logged_out(self, client):
        client.used = True
        super().logged_out(client)

    def login(self, client, name):
        if getattr(client, "used", False):
            self.answer(client, FAILURE)
        else:
            super().login(client, name)


@mistake("name-taken-after-logout", "D-6", "nobody can log in under a name that has logged out")
class NameTakenAfterLogout(Server):
    def __init__(self):
        super().__init__()
        self.used = set()

    def logout(self, client):
        if client.name is not None:
            self.used.add(client.name)
        super().logout(client)

    def taken(self, name):
        return super().taken(name) or name in self.used


@mistake("other-name-after-logout-refused", "D-6", "a connection that has logged out can log in only under the same name again")
class OtherNameAfterLogoutRefused(Server):
    def login(self, client, name):
        if client.name is None and getattr(client, "first_name", name) != name:
            self.answer(client, FAILURE)
        else:
            super().login(client, name)

    def admit(self, client, name):
        super().admit(client, name)
        client.first_name = name


@mistake("list-after-logout-refused", "D-6", "a connection that has logged out is answered failure to a list request")
class ListAfterLogoutRefused(Server):
    def logged_out(self, client):
        client.used = True
        super().logged_out(client)

    def list(self, client):
        if client.name is None and getattr(client, "used", False):
            self.answer(client, FAILURE)
        else:
            super().list(client)


@mistake("deaf-after-logout", "D-6", "a connection that has logged out is not read from any more")
class DeafAfterLogout(Server):
    def serve_packet(self, client):
        if getattr(client, "deaf", False):
            if not self.recv(client, 4096):
                raise Closed
            return True
        return super().serve_packet(client)

    def logged_out(self, client):
        client.deaf = True
        super().logged_out(client)


@mistake("comeback-hears-nothing", "D-6", "who logs in again on the same connection receives no texts any more")
class ComebackHearsNothing(Server):
    def logged_out(self, client):
        client.used = True
        super().logged_out(client)

    def deliver(self, client, receiver, destination, text):
        if not getattr(receiver, "used", False):
            super().deliver(client, receiver, destination, text)


@mistake("logout-logs-everybody-out", "D-6", "a logout logs everybody out")
class LogoutLogsEverybodyOut(Server):
    def logged_out(self, client):
        for other in list(self.users.values()):
            self.forget(other)
        super().logged_out(client)


@mistake("logout-does-nothing", "D-6", "a logout is answered ok, and nothing else happens")
class LogoutDoesNothing(Server):
    def logout(self, client):
        self.answer(client, OK if client.name is not None else FAILURE)


@mistake("logout-logged-out-ok", "D-6", "a logout of somebody who is not logged in is answered ok (should)")
class LogoutLoggedOutOk(Server):
    def logout_logged_out(self, client):
        self.answer(client, OK)


@mistake("logout-logged-out-malformed", "D-6", "a logout of somebody who is not logged in is answered malformed packet (should)")
class LogoutLoggedOutMalformed(Server):
    def logout_logged_out(self, client):
        self.answer(client, MALFORMED)


@mistake("logout-logged-out-not-answered", "D-6,D-1", "a logout of somebody who is not logged in is not answered")
class LogoutLoggedOutNotAnswered(Server):
    def logout_logged_out(self, client):
        pass


@mistake("logout-logged-out-closes", "D-6,D-1", "a logout of somebody who is not logged in closes the connection")
class LogoutLoggedOutCloses(Server):
    def logout_logged_out(self, client):
        client.drop()


@mistake("dies-on-logout-logged-out", "D-6,D-13", "the process exits upon a logout of somebody who is not logged in (should)")
class DiesOnLogoutLoggedOut(Server):
    def logout_logged_out(self, client):
        die("KeyError: None")


# ---------------------------------------------------------------- D-7: malformed packets

@mistake("malformed-not-answered", "D-7", "a malformed packet is not answered, and the connection stays open (should)")
class MalformedNotAnswered(Server):
    def malformed(self, client):
        return True


@mistake("malformed-closes", "D-7", "a malformed packet closes the connection without an answer (should)")
class MalformedCloses(Server):
    def malformed(self, client):
        return False


@mistake("malformed-is-failure", "D-7", "a malformed packet is answered failure (should)")
class MalformedIsFailure(Server):
    def malformed(self, client):
        self.answer(client, FAILURE)
        return False


@mistake("malformed-is-ok", "D-7", "a malformed packet is answered ok (should)")
class MalformedIsOk(Server):
    def malformed(self, client):
        self.answer(client, OK)
        return False


@mistake("malformed-is-list", "D-7", "a malformed packet is answered with the list: it stands in the else branch (should)")
class MalformedIsList(Server):
    def malformed(self, client):
        with self.lock:
            self.list(client)
        return True


@mistake("malformed-told-to-all", "D-7", "the answer to a malformed packet goes to all clients (should)")
class MalformedToldToAll(Server):
    def malformed(self, client):
        with self.lock:
            for other in self.connected:
                self.answer(other, MALFORMED)
        return False


@mistake("replies-accepted", "D-7", "a packet of a type that only servers send is answered ok instead of malformed (should)")
class RepliesAccepted(Server):
    def read_type(self, client):
        kind = super().read_type(client)
        if kind in (5, 6, 7):
            self.answer(client, OK)
            return self.read_type(client)
        return kind


# ---------------------------------------------------------------- D-8: a client that closes

@mistake("stays-after-close", "D-8", "a client that closes stays logged in")
class StaysAfterClose(Server):
    ends = {"close"}

    def finished(self, client, end):
        if end in self.ends:
            client.finish()
        else:
            super().finished(client, end)


@mistake("stays-after-reset", "D-8", "a client that resets its connection stays logged in")
class StaysAfterReset(StaysAfterClose):
    ends = {"reset"}


@mistake("stays-after-half-a-packet", "D-8", "a client that closes within a packet stays logged in")
class StaysAfterHalfAPacket(Server):
    def read_packet(self, client):
        client.within = False
        kind = self.read(client, 1)
        client.within = True
        client.rest = kind
        return super().read_packet(client)

    def recv(self, client, count):
        if client.rest:
            data, client.rest = client.rest, b""
            return data
        return super().recv(client, count)

    def finished(self, client, end):
        if client.within and end != "malformed":
            client.finish()
        else:
            super().finished(client, end)


@mistake("logs-out-a-minute-later", "D-8", "a client that closes is logged out a minute later")
class LogsOutAMinuteLater(Server):
    def finished(self, client, end):
        if end != "malformed":
            time.sleep(60)
        super().finished(client, end)


@mistake("name-taken-after-close", "D-8", "the name of a client that has closed is not in the list, and nobody can log in under it")
class NameTakenAfterClose(Server):
    ends = {"close"}

    def __init__(self):
        super().__init__()
        self.used = set()

    def finished(self, client, end):
        with self.lock:
            if end in self.ends and client.name is not None:
                self.used.add(client.name)
        super().finished(client, end)

    def taken(self, name):
        return super().taken(name) or name in self.used


@mistake("name-taken-after-reset", "D-8", "the name of a client that has reset its connection is not in the list, and nobody can log in under it")
class NameTakenAfterReset(NameTakenAfterClose):
    ends = {"reset"}


@mistake("closed-user-told-ok", "D-8,D-4", "a sendto to a user who has closed is answered ok (should)")
class ClosedUserToldOk(Server):
    def __init__(self):
        super().__init__()
        self.gone = set()

    def finished(self, client, end):
        with self.lock:
            self.gone.add(client.name)
        super().finished(client, end)

    def unknown_user(self, client, destination, text):
        self.answer(client, OK if destination in self.gone else FAILURE)


@mistake("dead-receiver-kills-sender", "D-8", "a closed client stays logged in, and a text for it closes the connection of the sender")
class DeadReceiverKillsSender(StaysAfterClose):
    ends = {"close", "reset"}

    def deliver(self, client, receiver, destination, text):
        if receiver.ending:
            client.drop()
        else:
            super().deliver(client, receiver, destination, text)


@mistake("close-logs-everybody-out", "D-8", "a client that closes while it is logged in takes everybody with it")
class CloseLogsEverybodyOut(Server):
    def finished(self, client, end):
        with self.lock:
            if client.name is not None:
                for other in list(self.users.values()):
                    self.forget(other)
        super().finished(client, end)


@mistake("dies-on-close", "D-8", "the process exits when a client closes")
class DiesOnClose(Server):
    ends = {"close"}

    def finished(self, client, end):
        if end in self.ends:
            die("ValueError: end of stream")
        super().finished(client, end)


@mistake("dies-on-reset", "D-8", "the process exits when a client resets its connection")
class DiesOnReset(DiesOnClose):
    ends = {"reset"}


@mistake("dies-on-close-before-login", "D-8", "the process exits when a client closes that is not logged in")
class DiesOnCloseBeforeLogin(Server):
    def finished(self, client, end):
        if client.name is None and end == "close":
            die("KeyError: None")
        super().finished(client, end)


@mistake("no-newcomers-after-reset", "D-8", "after a client has reset its connection nobody is served who connects later")
class NoNewcomersAfterReset(Server):
    full = False

    def finished(self, client, end):
        if end == "reset":
            self.full = True
        super().finished(client, end)

    def accepted(self, client):
        if not self.full:
            super().accepted(client)


# ---------------------------------------------------------------- D-9: pieces and segments

class Pieces(Server):
    """What comes is read in single calls of recv, somewhere."""

    def once(self, client, count):
        data = self.recv(client, count) if count else b""
        if count and not data:
            raise Closed
        return data


@mistake("one-recv-is-one-packet", "D-9", "what one recv returns is taken for one packet: pieces are malformed, a second packet is lost")
class OneRecvIsOnePacket(Server):
    def read_packet(self, client):
        data = client.sock.recv(70000)
        if not data:
            raise Closed
        client.rest = data
        try:
            return super().read_packet(client)
        except Closed:
            raise Bad from None
        finally:
            client.rest = b""

    def recv(self, client, count):
        data, client.rest = client.rest[:count], client.rest[count:]
        return data

    def malformed(self, client):
        self.answer(client, MALFORMED)
        return True


@mistake("second-packet-lost", "D-9", "of several packets in a segment only the first is handled")
class SecondPacketLost(Server):
    def read_packet(self, client):
        client.rest = b""
        return super().read_packet(client)

    def recv(self, client, count):
        if not client.rest:
            client.rest = client.sock.recv(65536)
        data, client.rest = client.rest[:count], client.rest[count:]
        return data


@mistake("packet-behind-list-lost", "D-9", "what comes in the same segment behind a list request is thrown away")
class PacketBehindListLost(Server):
    def handle(self, client, kind, *fields):
        if kind == LIST:
            client.rest = b""
        super().handle(client, kind, *fields)

    def recv(self, client, count):
        if not client.rest:
            client.rest = client.sock.recv(65536)
        data, client.rest = client.rest[:count], client.rest[count:]
        return data


@mistake("one-answer-for-a-segment", "D-9,D-1", "several packets in a segment are all handled, and only the last is answered")
class OneAnswerForASegment(Server):
    silent = None

    def recv(self, client, count):
        if not client.rest:
            client.rest = client.sock.recv(65536)
        data, client.rest = client.rest[:count], client.rest[count:]
        return data

    def handle(self, client, *packet):
        with self.lock:
            self.silent = client if client.rest else None
            super().handle(client, *packet)
            self.silent = None

    def answer(self, client, result):
        if client is not self.silent:
            super().answer(client, result)

    def list(self, client):
        if client is not self.silent:
            super().list(client)


@mistake("name-length-in-one-recv", "D-9", "type and name length are read with one recv, which may return only the first")
class NameLengthInOneRecv(Pieces):
    def read_packet(self, client):
        first = self.once(client, 1)
        if first[0] in (LOGIN, SENDTO):
            try:
                length = client.sock.recv(1, socket.MSG_DONTWAIT)
            except BlockingIOError:
                length = b"\0"
            client.rest = first + length
        else:
            client.rest = first
        return super().read_packet(client)

    def recv(self, client, count):
        if client.rest:
            data, client.rest = client.rest[:count], client.rest[count:]
            return data
        return super().recv(client, count)


@mistake("name-in-one-recv", "D-9", "a name is read with one recv")
class NameInOneRecv(Pieces):
    def read_name(self, client):
        return self.once(client, self.read(client, 1)[0])


@mistake("text-length-in-one-recv", "D-9", "the length of a text is read with one recv; half of it is taken for all of it")
class TextLengthInOneRecv(Pieces):
    def read_text_length(self, client):
        return int.from_bytes(self.once(client, 2), "big")


@mistake("text-in-one-recv", "D-9,D-5", "a text is read with one recv")
class TextInOneRecv(Pieces):
    def read_text(self, client, length):
        return self.once(client, length)


@mistake("pause-in-packet-loses-it", "D-9", "a packet that is not complete within 50 ms is thrown away")
class PauseInPacketLosesIt(Server):
    def read_packet(self, client):
        client.rest = client.sock.recv(1)
        if not client.rest:
            raise Closed
        try:
            return super().read_packet(client)
        except TimeoutError:
            return self.read_packet(client)

    def recv(self, client, count):
        if client.rest:
            data, client.rest = client.rest, b""
            return data
        if not select.select([client.sock], [], [], 0.05)[0]:
            raise TimeoutError
        return super().recv(client, count)


# ---------------------------------------------------------------- D-12: nobody is harmed by another, and several at once

@mistake("one-at-a-time", "D-3,D-4", "the next client is served only after the previous one has closed")
class OneAtATime(Server):
    def accepted(self, client):
        self.serve(client)


@mistake("max-two-clients", "D-3,D-4", "a third client is turned away")
class MaxTwoClients(Server):
    most = 2

    def accepted(self, client):
        if len(self.connected) > self.most:
            with self.lock:
                self.connected.remove(client)
            client.drop()
            client.done.set()
        else:
            super().accepted(client)


@mistake("max-ten-clients", "D-12", "an eleventh client is turned away (should)")
class MaxTenClients(MaxTwoClients):
    most = 10


@mistake("silent-blocks-newcomers", "D-12", "a client that has connected and says nothing blocks newcomers: its first packet is read in the accept loop (should)")
class SilentBlocksNewcomers(Server):
    def accepted(self, client):
        try:
            client.rest = client.sock.recv(1)
        except OSError:
            pass
        super().accepted(client)

    def recv(self, client, count):
        if client.rest:
            data, client.rest = client.rest, b""
            return data
        return super().recv(client, count)


@mistake("half-a-packet-blocks", "D-12", "half a packet blocks everybody: the rest of it is read under the lock (should)")
class HalfAPacketBlocks(Server):
    def read_packet(self, client):
        client.rest = self.recv(client, 1)
        if not client.rest:
            raise Closed
        with self.lock:
            return super().read_packet(client)

    def recv(self, client, count):
        if client.rest:
            data, client.rest = client.rest, b""
            return data
        return super().recv(client, count)


@mistake("half-a-text-blocks", "D-12", "half a text blocks everybody: the rest of it is read under the lock (should)")
class HalfATextBlocks(Server):
    def read_text(self, client, length):
        with self.lock:
            return super().read_text(client, length)


@mistake("stalled-reader-blocks", "D-12", "a client that has stopped reading blocks everybody: sendall under the lock (should)")
class StalledReaderBlocks(Server):
    def send(self, client, packet):
        try:
            client.sock.sendall(packet)
        except OSError:
            pass


@mistake("stalled-reader-blocks-sender", "D-12", "a sendto waits until its receiver reads, and its sender's connection waits with it (should)")
class StalledReaderBlocksSender(Server):
    def deliver(self, client, receiver, destination, text):
        super().deliver(client, receiver, destination, text)
        client.receiver = receiver

    def serve_packet(self, client):
        more = super().serve_packet(client)
        receiver = getattr(client, "receiver", None)
        while receiver is not None and receiver.waiting > 0 and not receiver.ending:
            time.sleep(0.001)
        return more


class SendTimesOut(Server):
    """When the kernel takes nothing for a client for a tenth of a second, stalled() is called."""

    def accepted(self, client):
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 100_000))
        super().accepted(client)

    def send_failed(self, client, error):
        if isinstance(error, BlockingIOError):
            self.stalled(client)
        super().send_failed(client, error)


@mistake("dies-on-stalled-reader", "D-12", "when sending to a client that has stopped reading times out, the process exits (should)")
class DiesOnStalledReader(SendTimesOut):
    def stalled(self, client):
        die("BlockingIOError")


@mistake("stalled-reader-drops-everybody", "D-12", "when sending to a client that has stopped reading times out, everybody is disconnected (should)")
class StalledReaderDropsEverybody(SendTimesOut):
    def stalled(self, client):
        with self.lock:
            for other in self.connected:
                other.drop()


# ---------------------------------------------------------------- D-13: the server lives

@mistake("unknown-type-kills", "D-13,D-7", "the process exits upon a packet of an unknown type (should)")
class UnknownTypeKills(Server):
    def malformed(self, client):
        die("KeyError: type")


@mistake("unknown-type-freezes", "D-13,D-7", "upon a packet of an unknown type nobody is served any more: an endless loop under the lock (should)")
class UnknownTypeFreezes(Server):
    def malformed(self, client):
        with self.lock:
            while True:
                time.sleep(1)


@mistake("unknown-type-drops-everybody", "D-13,D-7", "upon a packet of an unknown type all clients are disconnected (should)")
class UnknownTypeDropsEverybody(Server):
    def malformed(self, client):
        with self.lock:
            for other in self.connected:
                other.drop()
        return False


@mistake("type-zero-kills", "D-13,D-7", "the process exits upon a packet of type 0, others that are unknown are malformed (should)")
class TypeZeroKills(Server):
    def read_type(self, client):
        kind = super().read_type(client)
        if kind == 0:
            die("ZeroDivisionError")
        return kind


@mistake("long-name-kills", "D-13", "the process exits upon a name of more than 20 bytes in a login (should)")
class LongNameKills(Server):
    def login(self, client, name):
        if len(name) > MAX_NAME:
            die("buffer overflow")
        super().login(client, name)


@mistake("long-destination-kills", "D-13", "the process exits upon a destination of more than 20 bytes (should)")
class LongDestinationKills(Server):
    def sendto(self, client, destination, text):
        if len(destination) > MAX_NAME:
            die("buffer overflow")
        super().sendto(client, destination, text)


@mistake("empty-name-kills", "D-13", "the process exits upon an empty name (should)")
class EmptyNameKills(Server):
    def read_name(self, client):
        name = super().read_name(client)
        if not name:
            die("IndexError: string index out of range")
        return name


@mistake("empty-text-kills", "D-13,D-4", "the process exits upon an empty text (should)")
class EmptyTextKills(Server):
    def change(self, text):
        if not text:
            die("IndexError: string index out of range")
        return text


@mistake("cut-off-packet-kills", "D-13", "the process exits when a client closes within a packet (should)")
class CutOffPacketKills(StaysAfterHalfAPacket):
    def finished(self, client, end):
        if client.within and end != "malformed":
            die("struct.error: unpack requires a buffer of 2 bytes")
        super().finished(client, end)


@mistake("cut-off-text-delivered", "D-13", "a text that a close cuts off is delivered as far as it came (should)")
class CutOffTextDelivered(Server):
    def read_text(self, client, length):
        data = b""
        while len(data) < length:
            chunk = self.recv(client, length - len(data))
            if not chunk:
                break
            data += chunk
        return data


@mistake("invalid-utf8-name-kills", "D-13", "the process exits upon a name that is not UTF-8 (should)")
class InvalidUTF8NameKills(Server):
    def read_name(self, client):
        name = super().read_name(client)
        try:
            name.decode()
        except UnicodeDecodeError as e:
            die(e)
        return name


@mistake("invalid-utf8-text-kills", "D-13", "the process exits upon a text that is not UTF-8 (should)")
class InvalidUTF8TextKills(Server):
    def change(self, text):
        try:
            text.decode()
        except UnicodeDecodeError as e:
            die(e)
        return text


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
    args = parser.parse_args()
    if args.list:
        list_mistakes()
        return
    if args.port is None:
        parser.error("MISTAKE and PORT are needed")

    # Not a handler of our own: Python would run it only when the main thread wakes up.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _, _, server = MISTAKES[args.mistake]
    server().run(args.port)


if __name__ == "__main__":
    main()
