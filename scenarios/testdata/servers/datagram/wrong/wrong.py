"""Chat servers for UDP with exactly one mistake each.

Usage: python3 wrong.py MISTAKE PORT
       python3 wrong.py --list          name, requirements, one line about it; tab separated

"Server" is a correct server. Every other class changes the one place where its mistake is made.
The name "none" runs the correct one.
"""

import argparse
import collections
import errno
import os
import signal
import socket
import sys
import threading
import time

GREETING = b"GREETING"
MESSAGE = b"MESSAGE "
IP_RECVERR = 11             # Linux: errors about datagrams that were sent are reported
MSG_ERRQUEUE = 0x2000


def die(why):
    """What an exception that nobody catches does."""
    print(f"the server dies: {why}", file=sys.stderr, flush=True)
    os._exit(1)


def is_utf8(text):
    try:
        text.decode()
        return True
    except UnicodeDecodeError:
        return False


class Server:
    most = 65536                # bytes of a datagram that are read

    def __init__(self):
        self.active = []        # addresses, in the order of their greetings

    def run(self, port):
        self.open(port)
        self.started()
        while True:
            try:
                datagram, sender = self.sock.recvfrom(self.most)
            except OSError as e:
                self.receive_failed(e)
                continue
            self.received(datagram, sender)

    def open(self, port):
        self.port = port
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
        self.sock.bind(("127.0.0.1", port))

    def started(self):
        print("Server Initialized...", flush=True)

    def receive_failed(self, error):
        """An ICMP error, which concerns nobody."""

    def received(self, datagram, sender):
        if self.is_greeting(datagram):
            self.greeting(sender)
        elif self.is_message(datagram):
            self.message(sender, datagram[len(MESSAGE):])
        else:
            self.garbage(datagram, sender)

    def is_greeting(self, datagram):
        return datagram == GREETING

    def is_message(self, datagram):
        return datagram.startswith(MESSAGE)

    def greeting(self, sender):
        if sender in self.active:
            self.second_greeting(sender)
        else:
            self.active.append(sender)

    def second_greeting(self, sender):
        pass

    def message(self, sender, text):
        if sender in self.active:
            self.distribute(sender, text)
        else:
            self.ungreeted(sender, text)

    def ungreeted(self, sender, text):
        pass

    def garbage(self, datagram, sender):
        pass

    def distribute(self, sender, text):
        incoming = self.incoming(sender, self.change(text))
        for address in self.receivers(sender):
            self.deliver(incoming, address)

    def receivers(self, sender):
        return list(self.active)

    def change(self, text):
        return text

    def incoming(self, sender, text):
        ip, port = sender
        return f"INCOMING {ip} {port} ".encode() + text

    def deliver(self, incoming, address):
        try:
            self.sock.sendto(incoming, address)
        except OSError as e:
            self.send_failed(address, e)

    def send_failed(self, address, error):
        """Too long, or an ICMP error: the other receivers are not concerned."""


MISTAKES = {"none": ("-", "no mistake, the correct server that all the others change", Server)}


def mistake(name, requirements, about):
    def register(cls):
        assert name not in MISTAKES
        MISTAKES[name] = (requirements, about, cls)
        return cls
    return register


class ReportsErrors(Server):
    """Hears of the clients that have gone: gone() is called with the address of each to which a datagram could not
    be delivered, before the next datagram is handled."""

    def open(self, port):
        super().open(port)
        self.sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)

    def look(self):
        while True:
            try:
                _, _, _, address = self.sock.recvmsg(1, 512, MSG_ERRQUEUE | socket.MSG_DONTWAIT)
            except OSError:
                return
            self.gone(address)

    def receive_failed(self, error):
        self.look()

    def received(self, datagram, sender):
        self.look()
        super().received(datagram, sender)

    def deliver(self, incoming, address):
        # The error of an earlier datagram takes the place of this one.
        for _ in range(2 + len(self.active)):
            try:
                self.sock.sendto(incoming, address)
                return
            except OSError as e:
                if e.errno == errno.EMSGSIZE:
                    return
                self.look()


# ---------------------------------------------------------------- U-1: starts and stays

@mistake("no-initialized-line", "U-1", "nothing is printed at the start")
class NoInitializedLine(Server):
    def started(self):
        pass


@mistake("other-initialized-line", "U-1", "the line at the start has other words")
class OtherInitializedLine(Server):
    def started(self):
        print("Server started", flush=True)


@mistake("initialized-without-dots", "U-1", "the line at the start has no dots at its end")
class InitializedWithoutDots(Server):
    def started(self):
        print("Server Initialized", flush=True)


@mistake("initialized-lower-case", "U-1", "the line at the start is in lower case")
class InitializedLowerCase(Server):
    def started(self):
        print("server initialized...", flush=True)


@mistake("initialized-in-buffer", "U-1", "the line at the start stays in a buffer until the server stops")
class InitializedInBuffer(Server):
    def started(self):
        self.never_written = "Server Initialized...\n"


@mistake("initialized-at-first-greeting", "U-1", "the line is printed when the first client greets")
class InitializedAtFirstGreeting(Server):
    def started(self):
        pass

    def greeting(self, sender):
        if not self.active:
            super().started()
        super().greeting(sender)


@mistake("other-port", "U-1", "the server listens on the port after the one that it is given")
class OtherPort(Server):
    def open(self, port):
        super().open(port + 1)


@mistake("exits-at-once", "U-1", "the line is printed, and then the process ends")
class ExitsAtOnce(Server):
    def started(self):
        super().started()
        sys.exit(0)


@mistake("exits-after-first-message", "U-1", "the process ends after the first message has been distributed")
class ExitsAfterFirstMessage(Server):
    def distribute(self, sender, text):
        super().distribute(sender, text)
        os._exit(0)


@mistake("exits-after-second", "U-1", "the process ends after a second: it was a timeout for the first datagram")
class ExitsAfterSecond(Server):
    def started(self):
        super().started()
        threading.Timer(1, os._exit, (0,)).start()


# ---------------------------------------------------------------- U-2: greetings

@mistake("second-greeting-doubles", "U-2", "who greets twice receives everything twice (should)")
class SecondGreetingDoubles(Server):
    def second_greeting(self, sender):
        self.active.append(sender)


@mistake("second-greeting-removes", "U-2", "who greets twice is no longer active (should)")
class SecondGreetingRemoves(Server):
    def second_greeting(self, sender):
        self.active.remove(sender)


@mistake("second-greeting-kills", "U-2", "the process exits upon a second greeting of a client (should)")
class SecondGreetingKills(Server):
    def second_greeting(self, sender):
        die("ValueError: already greeted")


@mistake("second-greeting-answered", "U-2,U-4", "a second greeting is answered (should)")
class SecondGreetingAnswered(Server):
    def second_greeting(self, sender):
        self.deliver(b"ERROR already greeted", sender)


@mistake("second-greeting-clears-others", "U-2", "a second greeting makes all others inactive (should)")
class SecondGreetingClearsOthers(Server):
    def second_greeting(self, sender):
        self.active = [sender]


@mistake("greeting-answered", "U-2", "a greeting is answered with GREETING")
class GreetingAnswered(Server):
    def greeting(self, sender):
        super().greeting(sender)
        self.deliver(GREETING, sender)


@mistake("greeting-announced", "U-2", "all active clients are told of a newcomer")
class GreetingAnnounced(Server):
    def greeting(self, sender):
        super().greeting(sender)
        for address in self.receivers(sender):
            self.deliver(self.incoming(sender, b"has joined"), address)


@mistake("greeting-in-lower-case", "U-2,U-4", "a greeting in lower case makes its sender active too")
class GreetingInLowerCase(Server):
    def is_greeting(self, datagram):
        return datagram.upper() == GREETING


@mistake("greeting-with-more", "U-2,U-4", "whatever begins with GREETING makes its sender active")
class GreetingWithMore(Server):
    def is_greeting(self, datagram):
        return datagram.startswith(GREETING)


@mistake("greeting-only-with-newline", "U-2", "a greeting counts only with a line break at its end")
class GreetingOnlyWithNewline(Server):
    def is_greeting(self, datagram):
        return datagram == GREETING + b"\n"


@mistake("forgets-after-three-messages", "U-2", "a client is forgotten after three messages of its own")
class ForgetsAfterThreeMessages(Server):
    def __init__(self):
        super().__init__()
        self.sent = collections.Counter()

    def distribute(self, sender, text):
        super().distribute(sender, text)
        self.sent[sender] += 1
        if self.sent[sender] == 3:
            self.active.remove(sender)


@mistake("forgets-silent-clients", "U-2", "a client that has said nothing for ten messages of others is forgotten")
class ForgetsSilentClients(Server):
    def __init__(self):
        super().__init__()
        self.heard = collections.Counter()

    def distribute(self, sender, text):
        super().distribute(sender, text)
        for address in self.active:
            self.heard[address] += 1
        self.heard[sender] = 0
        self.active = [address for address in self.active if self.heard[address] < 10]


@mistake("one-client-per-address", "U-2,U-3", "clients are told apart by their ip only: the last one has the port")
class OneClientPerAddress(Server):
    def greeting(self, sender):
        self.active = [address for address in self.active if address[0] != sender[0]] + [sender]


# ---------------------------------------------------------------- U-3: who receives a message

@mistake("sender-left-out", "U-3", "a message does not go to its sender")
class SenderLeftOut(Server):
    def receivers(self, sender):
        return [address for address in self.active if address != sender]


@mistake("sender-only", "U-3", "a message goes to its sender and nobody else")
class SenderOnly(Server):
    def receivers(self, sender):
        return [sender]


@mistake("last-greeted-only", "U-3", "a message goes only to who greeted last")
class LastGreetedOnly(Server):
    def receivers(self, sender):
        return self.active[-1:]


@mistake("first-greeted-only", "U-3", "a message goes only to who greeted first")
class FirstGreetedOnly(Server):
    def receivers(self, sender):
        return self.active[:1]


@mistake("last-greeted-left-out", "U-3", "a message does not go to who greeted last, when there are several")
class LastGreetedLeftOut(Server):
    def receivers(self, sender):
        return self.active[:-1] or self.active


@mistake("first-greeted-left-out", "U-3", "a message does not go to who greeted first, when there are several")
class FirstGreetedLeftOut(Server):
    def receivers(self, sender):
        return self.active[1:] or self.active


@mistake("relays-nothing", "U-3", "messages go to nobody")
class RelaysNothing(Server):
    def receivers(self, sender):
        return []


@mistake("first-message-lost", "U-3", "the first message of a client is not distributed")
class FirstMessageLost(Server):
    def __init__(self):
        super().__init__()
        self.spoken = set()

    def distribute(self, sender, text):
        if sender in self.spoken:
            super().distribute(sender, text)
        self.spoken.add(sender)


@mistake("delivered-twice", "U-3", "a message goes to everybody twice")
class DeliveredTwice(Server):
    def deliver(self, incoming, address):
        super().deliver(incoming, address)
        super().deliver(incoming, address)


@mistake("echoed-twice-to-sender", "U-3", "a message goes to its sender twice")
class EchoedTwiceToSender(Server):
    def receivers(self, sender):
        return super().receivers(sender) + [sender]


@mistake("same-text-once", "U-3", "a text that is the same as the one before is not distributed")
class SameTextOnce(Server):
    last = None

    def distribute(self, sender, text):
        if text != self.last:
            super().distribute(sender, text)
        self.last = text


@mistake("history-for-newcomers", "U-3", "who greets is sent the messages from before")
class HistoryForNewcomers(Server):
    def __init__(self):
        super().__init__()
        self.history = []

    def distribute(self, sender, text):
        super().distribute(sender, text)
        self.history.append(self.incoming(sender, text))

    def greeting(self, sender):
        if sender not in self.active:
            for incoming in self.history:
                self.deliver(incoming, sender)
        super().greeting(sender)


@mistake("message-acknowledged", "U-3", "the sender of a message is sent OK")
class MessageAcknowledged(Server):
    def distribute(self, sender, text):
        super().distribute(sender, text)
        self.deliver(b"OK", sender)


@mistake("from-other-socket", "U-3", "messages go out from another port than the one that clients send to, so that no connected socket hears them")
class FromOtherSocket(Server):
    def open(self, port):
        super().open(port)
        self.other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.other.bind(("127.0.0.1", 0))

    def deliver(self, incoming, address):
        try:
            self.other.sendto(incoming, address)
        except OSError:
            pass


# ---------------------------------------------------------------- U-3: what is in an INCOMING

@mistake("keyword-misspelt", "U-3", "the word is INCOMMING")
class KeywordMisspelt(Server):
    def incoming(self, sender, text):
        return super().incoming(sender, text).replace(b"INCOMING", b"INCOMMING", 1)


@mistake("keyword-is-message", "U-3", "the word is MESSAGE")
class KeywordIsMessage(Server):
    def incoming(self, sender, text):
        return super().incoming(sender, text).replace(b"INCOMING", b"MESSAGE", 1)


@mistake("keyword-lower-case", "U-3", "the word is incoming")
class KeywordLowerCase(Server):
    def incoming(self, sender, text):
        return super().incoming(sender, text).replace(b"INCOMING", b"incoming", 1)


@mistake("relayed-as-it-came", "U-3", "the datagram of the sender is relayed as it is")
class RelayedAsItCame(Server):
    def incoming(self, sender, text):
        return MESSAGE + text


@mistake("port-of-server", "U-3", "the port is that of the server")
class PortOfServer(Server):
    def incoming(self, sender, text):
        return super().incoming((sender[0], self.port), text)


@mistake("port-of-receiver", "U-3", "everybody gets a message with his own port")
class PortOfReceiver(Server):
    def distribute(self, sender, text):
        for address in self.active:
            self.deliver(self.incoming(address, text), address)


@mistake("port-of-last", "U-3", "the port is that of who greeted last")
class PortOfLast(Server):
    def incoming(self, sender, text):
        return super().incoming(self.active[-1], text)


@mistake("port-byte-order", "U-3", "the two bytes of the port are swapped: ntohs is missing")
class PortByteOrder(Server):
    def incoming(self, sender, text):
        return super().incoming((sender[0], socket.htons(sender[1])), text)


@mistake("port-is-signed", "U-3", "a port of more than 32,767 is negative")
class PortIsSigned(Server):
    def incoming(self, sender, text):
        return super().incoming((sender[0], (sender[1] ^ 0x8000) - 0x8000), text)


@mistake("port-missing", "U-3", "there is no port")
class PortMissing(Server):
    def incoming(self, sender, text):
        return f"INCOMING {sender[0]} ".encode() + text


@mistake("ip-wrong", "U-3", "the ip is 0.0.0.0, to which the server might have been bound")
class IpWrong(Server):
    def incoming(self, sender, text):
        return super().incoming(("0.0.0.0", sender[1]), text)


@mistake("ip-byte-order", "U-3", "the ip is 1.0.0.127")
class IpByteOrder(Server):
    def incoming(self, sender, text):
        return super().incoming((".".join(reversed(sender[0].split("."))), sender[1]), text)


@mistake("ip-is-a-name", "U-3", "there is a host name in place of the ip")
class IpIsAName(Server):
    def incoming(self, sender, text):
        return super().incoming(("localhost", sender[1]), text)


@mistake("ip-and-port-swapped", "U-3", "the port stands before the ip")
class IpAndPortSwapped(Server):
    def incoming(self, sender, text):
        return super().incoming((sender[1], sender[0]), text)


@mistake("colon-before-port", "U-3", "there is a colon between ip and port, and no blank")
class ColonBeforePort(Server):
    def incoming(self, sender, text):
        return f"INCOMING {sender[0]}:{sender[1]} ".encode() + text


@mistake("address-as-tuple", "U-3", "the address is written as Python shows it")
class AddressAsTuple(Server):
    def incoming(self, sender, text):
        return f"INCOMING {sender} ".encode() + text


@mistake("two-blanks-before-text", "U-3", "there are two blanks before the text: its own is not taken away")
class TwoBlanksBeforeText(Server):
    def change(self, text):
        return b" " + text


@mistake("text-trimmed", "U-3", "white space at both ends of a text is removed")
class TextTrimmed(Server):
    def change(self, text):
        return text.strip()


@mistake("text-upper-cased", "U-3", "texts are distributed in upper case")
class TextUpperCased(Server):
    def change(self, text):
        return text.upper()


@mistake("text-first-word", "U-3", "a text ends at its first blank")
class TextFirstWord(Server):
    def change(self, text):
        return text.partition(b" ")[0]


@mistake("text-blanks-merged", "U-3", "several blanks in a text become one")
class TextBlanksMerged(Server):
    def change(self, text):
        return b" ".join(text.split())


@mistake("text-cut-at-newline", "U-3", "a text ends at its first line break")
class TextCutAtNewline(Server):
    def change(self, text):
        return text.partition(b"\n")[0]


@mistake("text-cut-at-zero", "U-3,U-9", "a text ends at its first zero byte")
class TextCutAtZero(Server):
    def change(self, text):
        return text.partition(b"\0")[0]


@mistake("text-mangled-utf8", "U-3", "what is not ASCII becomes question marks")
class TextMangledUTF8(Server):
    def change(self, text):
        return text.decode(errors="replace").encode("ascii", errors="replace")


@mistake("text-latin1-for-utf8", "U-3", "texts are read as Latin-1 and written as UTF-8")
class TextLatin1ForUTF8(Server):
    def change(self, text):
        return text.decode("latin-1").encode()


@mistake("newline-added", "U-3", "a line break is added to texts")
class NewlineAdded(Server):
    def change(self, text):
        return text + b"\n"


@mistake("zero-byte-added", "U-3", "a zero byte is added to texts: the one that ends a string")
class ZeroByteAdded(Server):
    def change(self, text):
        return text + b"\0"


@mistake("text-padded", "U-3", "a text of less than 512 bytes is filled up with zero bytes: the whole buffer is sent")
class TextPadded(Server):
    def change(self, text):
        return text.ljust(512, b"\0")


@mistake("rest-of-longer-text", "U-3", "a text that is shorter than the one before has the end of that one: the buffer is not cleared")
class RestOfLongerText(Server):
    buffer = b""

    def change(self, text):
        self.buffer = text + self.buffer[len(text):]
        return self.buffer


@mistake("greeting-in-text-obeyed", "U-3", "a message that contains GREETING is taken for one")
class GreetingInTextObeyed(Server):
    def is_greeting(self, datagram):
        return GREETING in datagram


@mistake("message-in-text-obeyed", "U-3", "a text begins after the last MESSAGE in the datagram")
class MessageInTextObeyed(Server):
    def change(self, text):
        return text.rpartition(MESSAGE)[2]


@mistake("message-removed-from-text", "U-3", "every MESSAGE in a text is removed: replace instead of a cut")
class MessageRemovedFromText(Server):
    def change(self, text):
        return text.replace(b"MESSAGE", b"")


@mistake("exit-in-text-obeyed", "U-3", "a client that says exit is removed")
class ExitInTextObeyed(Server):
    def message(self, sender, text):
        if text == b"exit" and sender in self.active:
            self.active.remove(sender)
        else:
            super().message(sender, text)


# ---------------------------------------------------------------- U-4: anything else

@mistake("garbage-answered", "U-4", "anything else is answered")
class GarbageAnswered(Server):
    def garbage(self, datagram, sender):
        self.deliver(b"ERROR unknown", sender)


@mistake("garbage-returned", "U-4", "anything else is sent back")
class GarbageReturned(Server):
    def garbage(self, datagram, sender):
        self.deliver(datagram, sender)


@mistake("garbage-kills", "U-4", "the process exits upon anything else")
class GarbageKills(Server):
    def garbage(self, datagram, sender):
        die("ValueError: not enough values to unpack")


@mistake("garbage-relayed", "U-4", "anything else of an active client is distributed like a message")
class GarbageRelayed(Server):
    def garbage(self, datagram, sender):
        if sender in self.active:
            self.distribute(sender, datagram)


@mistake("garbage-removes", "U-4", "an active client that sends anything else is removed")
class GarbageRemoves(Server):
    def garbage(self, datagram, sender):
        if sender in self.active:
            self.active.remove(sender)


@mistake("garbage-greets", "U-4", "anything else makes its sender active")
class GarbageGreets(Server):
    def garbage(self, datagram, sender):
        self.greeting(sender)


@mistake("garbage-forgets-all", "U-4", "upon anything else all clients are forgotten")
class GarbageForgetsAll(Server):
    def garbage(self, datagram, sender):
        self.active.clear()


@mistake("empty-datagram-kills", "U-4", "the process ends upon a datagram without a byte: it takes it for the end")
class EmptyDatagramKills(Server):
    def garbage(self, datagram, sender):
        if not datagram:
            die("end of file")


@mistake("invalid-utf8-garbage-kills", "U-4", "the process exits upon anything else that is not UTF-8")
class InvalidUTF8GarbageKills(Server):
    def garbage(self, datagram, sender):
        if not is_utf8(datagram):
            die("UnicodeDecodeError")


@mistake("message-glued-relayed", "U-4", "MESSAGEx is distributed like MESSAGE x")
class MessageGluedRelayed(Server):
    def received(self, datagram, sender):
        if datagram.startswith(b"MESSAGE") and not datagram.startswith(MESSAGE):
            datagram = MESSAGE + datagram[7:]
        super().received(datagram, sender)


@mistake("message-in-lower-case", "U-4", "message x is distributed like MESSAGE x")
class MessageInLowerCase(Server):
    def is_message(self, datagram):
        return datagram[:8].upper() == MESSAGE


@mistake("message-alone-kills", "U-4", "the process exits upon a MESSAGE without a blank after it")
class MessageAloneKills(Server):
    def garbage(self, datagram, sender):
        if datagram == b"MESSAGE":
            die("IndexError: list index out of range")


@mistake("incoming-relayed", "U-4", "an INCOMING that a client sends is distributed as it is")
class IncomingRelayed(Server):
    def garbage(self, datagram, sender):
        if datagram.startswith(b"INCOMING "):
            for address in self.receivers(sender):
                self.deliver(datagram, address)


@mistake("icmp-error-kills", "U-4,U-5", "the process exits when a client has gone: the error of a send, which the next receive reports, is not caught")
class IcmpErrorKills(ReportsErrors):
    def gone(self, address):
        die("ConnectionRefusedError: [Errno 111] Connection refused")


@mistake("icmp-error-stops-receiving", "U-4,U-5", "when a client has gone nothing is received any more: the thread that receives has died")
class IcmpErrorStopsReceiving(ReportsErrors):
    def gone(self, address):
        while True:
            time.sleep(1)


# ---------------------------------------------------------------- U-5: clients that have gone

@mistake("gone-client-removes-all", "U-5", "when a client has gone, everybody is forgotten")
class GoneClientRemovesAll(ReportsErrors):
    def gone(self, address):
        self.active.clear()


@mistake("gone-client-removes-other", "U-5", "when a client has gone, the one who greeted after it is forgotten instead")
class GoneClientRemovesOther(ReportsErrors):
    def gone(self, address):
        if address in self.active:
            at = self.active.index(address)
            del self.active[(at + 1) % len(self.active)]


@mistake("gone-client-removes-sender", "U-5", "when a client has gone, who speaks next is forgotten")
class GoneClientRemovesSender(ReportsErrors):
    unlucky = False

    def gone(self, address):
        self.unlucky = True

    def message(self, sender, text):
        if self.unlucky and sender in self.active:
            self.unlucky = False
            self.active.remove(sender)
        super().message(sender, text)


@mistake("gone-client-swallows-delivery", "U-5", "the one who greeted after a client that has gone misses the next message: it is removed from the list while that is gone through")
class GoneClientSwallowsDelivery(ReportsErrors):
    def __init__(self):
        super().__init__()
        self.dead = set()

    def gone(self, address):
        self.dead.add(address)

    def receivers(self, sender):
        return self.active          # itself, and not a copy

    def deliver(self, incoming, address):
        if address in self.dead:
            self.active.remove(address)
            self.dead.discard(address)
        else:
            super().deliver(incoming, address)


@mistake("gone-client-ends-delivery", "U-5", "who greeted after a client that has gone receives nothing any more: the loop over the clients ends there")
class GoneClientEndsDelivery(ReportsErrors):
    def __init__(self):
        super().__init__()
        self.dead = set()

    def gone(self, address):
        self.dead.add(address)

    def receivers(self, sender):
        receivers = []
        for address in self.active:
            if address in self.dead:
                break
            receivers.append(address)
        return receivers


@mistake("gone-client-swallows-message", "U-5", "when a client has gone the next message is lost: the send that would have been reports the error of the one before")
class GoneClientSwallowsMessage(ReportsErrors):
    failed = False

    def gone(self, address):
        self.failed = True

    def message(self, sender, text):
        if self.failed:
            self.failed = False
        else:
            super().message(sender, text)


@mistake("gone-client-announced", "U-5", "when a client has gone the others are told")
class GoneClientAnnounced(ReportsErrors):
    def gone(self, address):
        if address in self.active:
            self.active.remove(address)
            for other in self.receivers(address):
                self.deliver(self.incoming(address, b"has left"), other)


# ---------------------------------------------------------------- U-6: many clients

class Limited(Server):
    """Who greets when there are that many is ignored."""

    def greeting(self, sender):
        if len(self.active) < self.limit:
            super().greeting(sender)


@mistake("two-clients", "U-6", "a third client is ignored")
class TwoClients(Limited):
    limit = 2


@mistake("ten-clients", "U-6", "an eleventh client is ignored")
class TenClients(Limited):
    limit = 10


@mistake("fifty-clients", "U-6", "a client after fifty others is ignored")
class FiftyClients(Limited):
    limit = 50


@mistake("hundred-clients", "U-6", "a client after a hundred others is ignored (should)")
class HundredClients(Limited):
    limit = 100


@mistake("eleventh-client-kills", "U-6", "the process exits upon an eleventh client: a table of ten")
class EleventhClientKills(Server):
    def greeting(self, sender):
        super().greeting(sender)
        if len(self.active) > 10:
            die("IndexError: list assignment index out of range")


@mistake("eleventh-client-evicts-first", "U-6", "an eleventh client takes the place of the first: a ring of ten")
class EleventhClientEvictsFirst(Server):
    def greeting(self, sender):
        super().greeting(sender)
        self.active = self.active[-10:]


# ---------------------------------------------------------------- U-8: who has not greeted

@mistake("ungreeted-relayed", "U-8", "a message from an address that has not greeted is distributed (should)")
class UngreetedRelayed(Server):
    def ungreeted(self, sender, text):
        self.distribute(sender, text)


@mistake("ungreeted-becomes-active", "U-8,U-2", "a message from an address that has not greeted makes it active, and is distributed (should)")
class UngreetedBecomesActive(Server):
    def ungreeted(self, sender, text):
        self.active.append(sender)
        self.distribute(sender, text)


@mistake("ungreeted-becomes-active-silently", "U-8,U-2", "a message from an address that has not greeted makes it active, and is not distributed (should)")
class UngreetedBecomesActiveSilently(Server):
    def ungreeted(self, sender, text):
        self.active.append(sender)


@mistake("ungreeted-answered", "U-8", "a message from an address that has not greeted is answered (should)")
class UngreetedAnswered(Server):
    def ungreeted(self, sender, text):
        self.deliver(b"ERROR greet first", sender)


@mistake("ungreeted-kills", "U-8,U-4", "the process exits upon a message from an address that has not greeted (should)")
class UngreetedKills(Server):
    def ungreeted(self, sender, text):
        die("KeyError")


# ---------------------------------------------------------------- U-9: long, empty and strange texts

@mistake("read-512", "U-9", "a datagram is cut after 512 bytes (should)")
class Read512(Server):
    most = 512


@mistake("read-1024", "U-9", "a datagram is cut after 1,024 bytes: recvfrom(1024) (should)")
class Read1024(Server):
    most = 1024


@mistake("read-1400", "U-9", "a datagram is cut after 1,400 bytes, of which eight are not text (should)")
class Read1400(Server):
    most = 1400


@mistake("long-text-ignored", "U-9", "a text of more than 1,024 bytes is not distributed (should)")
class LongTextIgnored(Server):
    def distribute(self, sender, text):
        if len(text) <= 1024:
            super().distribute(sender, text)


@mistake("long-text-kills", "U-9", "the process exits upon a text of more than 1,024 bytes: it is written beyond a buffer (should)")
class LongTextKills(Server):
    def change(self, text):
        if len(text) > 1024:
            die("stack smashing detected")
        return text


@mistake("longest-text-kills", "U-9", "the process exits upon a text of more than 60,000 bytes (should)")
class LongestTextKills(Server):
    def change(self, text):
        if len(text) > 60000:
            die("OSError: [Errno 90] Message too long")
        return text


@mistake("longest-text-removes-all", "U-9", "upon a text of more than 60,000 bytes all clients are forgotten: each send of it was taken to fail because its client has gone (should)")
class LongestTextRemovesAll(Server):
    def distribute(self, sender, text):
        if len(text) > 60000:
            self.active.clear()
        super().distribute(sender, text)


@mistake("long-text-in-two", "U-9", "a text of more than 1,000 bytes is distributed in several datagrams (should)")
class LongTextInTwo(Server):
    def distribute(self, sender, text):
        for start in range(0, max(1, len(text)), 1000):
            super().distribute(sender, text[start:start + 1000])


@mistake("empty-text-ignored", "U-3", "an empty text is not distributed")
class EmptyTextIgnored(Server):
    def distribute(self, sender, text):
        if text:
            super().distribute(sender, text)


@mistake("empty-text-kills", "U-9", "the process exits upon an empty text (should)")
class EmptyTextKills(Server):
    def change(self, text):
        if not text:
            die("IndexError: list index out of range")
        return text


@mistake("empty-text-removes", "U-9", "a client that sends an empty text is removed: it is taken for a goodbye (should)")
class EmptyTextRemoves(Server):
    def message(self, sender, text):
        if not text and sender in self.active:
            self.active.remove(sender)
        else:
            super().message(sender, text)


@mistake("zero-byte-kills", "U-9", "the process exits upon a text with a zero byte (should)")
class ZeroByteKills(Server):
    def change(self, text):
        if b"\0" in text:
            die("ValueError: embedded null byte")
        return text


@mistake("invalid-utf8-kills", "U-9", "the process exits upon a text that is not UTF-8 (should)")
class InvalidUTF8Kills(Server):
    def change(self, text):
        if not is_utf8(text):
            die("UnicodeDecodeError")
        return text


@mistake("invalid-utf8-stops-receiving", "U-9", "after a text that is not UTF-8 nothing is received any more: the thread that receives has died (should)")
class InvalidUTF8StopsReceiving(Server):
    def change(self, text):
        while not is_utf8(text):
            time.sleep(1)
        return text


@mistake("utf8-kills", "U-3", "the process exits upon a text that is not ASCII")
class UTF8Kills(Server):
    def change(self, text):
        if not text.isascii():
            die("UnicodeDecodeError: 'ascii' codec")
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
