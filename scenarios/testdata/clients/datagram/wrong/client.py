"""UDP chat client with exactly one mistake: client.py [--mistake NAME] HOST PORT, or --list"""

import os
import re
import select
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
from wrongbase import Client, Over, main, wrong

MISTAKES = {
    "no-greeting": "does not greet",
    "greets-at-first-message": "greets only when the first message is typed",
    "greets-in-lower-case": "sends greeting",
    "greets-with-newline": "sends a line end behind GREETING",
    "greets-with-zero-byte": "sends a zero byte behind GREETING",
    "greets-with-name": "sends GREETING alice",
    "greets-from-other-socket": "greets from one socket, and uses another one from then on",
    "greets-in-other-words": "sends HELLO",
    "socket-per-message": "sends each message from a new socket",
    "says-goodbye": "sends GOODBYE when it ends",
    "message-in-lower-case": "sends message and the text",
    "message-without-word": "sends the text alone",
    "message-without-blank": "sends MESSAGEtext",
    "message-with-colon": "sends MESSAGE: text",
    "message-with-newline": "sends a line end behind the text",
    "message-with-zero-byte": "sends a zero byte behind the text",
    "message-in-quotes": "sends the text in quotation marks",
    "message-as-incoming": "sends INCOMING and the text",
    "message-with-own-address": "sends its own address in front of the text",
    "message-in-two-datagrams": "sends MESSAGE and the text in datagrams of their own",
    "word-per-datagram": "sends each word in a datagram of its own",
    "prompt-missing": "has no prompt",
    "prompt-other": "has the prompt >",
    "prompt-without-blank": "has the prompt ] without the blank",
    "prompt-once": "prints the prompt only once",
    "incoming-raw": "shows INCOMING as it came",
    "incoming-without-port": "shows <From ip>: text",
    "incoming-without-ip": "shows <From port>: text",
    "incoming-without-brackets": "shows From ip:port: text",
    "incoming-without-colon": "shows <From ip:port> text",
    "incoming-with-blank": "shows <From ip port>: text",
    "incoming-from-server": "shows the address of the server instead of the one in the datagram",
    "incoming-first-word": "shows only the first word of a text",
    "incoming-hides-own": "does not show what it has said itself",
    "port-with-wrong-bytes": "shows the port with its bytes swapped",
    "forgets-queued": "shows a message, and throws away what has come in the meantime",
    "receives-1024": "receives at most 1024 bytes",
    "dies-of-icmp": "ends with a traceback when nobody listens at the port",
    "ends-at-icmp": "says that there is no server when nobody listens at the port, and ends",
    "dies-of-garbage": "ends with a traceback at a datagram that is no INCOMING",
    "shows-garbage": "shows datagrams that are no INCOMING",
    "answers-garbage": "sends an answer to a datagram that is no INCOMING",
    "ends-at-empty-datagram": "takes an empty datagram for the end",
    "greets-again": "greets again after each message that comes",
    "word-incoming-anywhere": "takes every datagram with INCOMING in it for one",
    "dies-of-ipv6": "ends with a traceback when the address is an IPv6 one",
}


class Datagram(Client):
    udp = True

    def __init__(self, host, port):
        super().__init__(host, int(port))
        self.prompt = "> " if wrong("prompt-other") else "]" if wrong("prompt-without-blank") else "] "
        self.prompts, self.said = 0, []

    def connect(self):
        super().connect()
        if wrong("dies-of-icmp") or wrong("ends-at-icmp"):
            self.sock.connect(self.server)

    def draw(self):
        """The prompt is there on pipes too."""
        self.prompts += 1
        if wrong("prompt-missing") or wrong("prompt-once") and self.prompts > 1:
            return
        if self.keyboard.terminal:
            super().draw()
        else:
            self.write(self.prompt)

    def own_name(self):
        return "{}:{}".format(*self.sock.getsockname()).encode()

    def send(self, data):
        try:
            if wrong("dies-of-icmp") or wrong("ends-at-icmp"):
                self.sock.send(data)
            else:
                self.sock.sendto(data, self.server)
        except ConnectionRefusedError:
            self.refused()
        except OSError as e:
            self.print(f"Not sent: {e.strerror}")

    def refused(self):
        if wrong("dies-of-icmp"):
            raise RuntimeError("Connection refused")
        raise Over("There is no server.", 1)

    def hello(self):
        if not wrong("no-greeting") and not wrong("greets-at-first-message"):
            self.greet()

    def greet(self):
        words = {"greets-in-lower-case": b"greeting", "greets-with-newline": b"GREETING\n",
                 "greets-in-other-words": b"HELLO", "greets-with-zero-byte": b"GREETING\0",
                 "greets-with-name": b"GREETING alice"}
        self.send(next((w for m, w in words.items() if wrong(m)), b"GREETING"))
        if wrong("greets-from-other-socket"):
            self.sock = socket.socket(self.sock.family, socket.SOCK_DGRAM)

    def typed(self, text):
        data = self.encode(text)
        self.said.append(data)
        if wrong("greets-at-first-message") and len(self.said) == 1:
            self.greet()
        if wrong("socket-per-message"):
            self.sock = socket.socket(self.sock.family, socket.SOCK_DGRAM)
            self.watched = [0, self.sock]
        if wrong("message-in-two-datagrams"):
            self.send(b"MESSAGE")
            return self.send(data)
        if wrong("word-per-datagram"):
            for word in data.split():
                self.send(b"MESSAGE " + word)
            return
        forms = {"message-in-lower-case": b"message %s", "message-without-word": b"%s",
                 "message-without-blank": b"MESSAGE%s", "message-with-colon": b"MESSAGE: %s",
                 "message-with-newline": b"MESSAGE %s\n", "message-as-incoming": b"INCOMING %s",
                 "message-with-zero-byte": b"MESSAGE %s\0", "message-in-quotes": b'MESSAGE "%s"'}
        if wrong("message-with-own-address"):
            data = self.own_name() + b" " + data
        self.send(next((f for m, f in forms.items() if wrong(m)), b"MESSAGE %s") % data)

    def readable(self):
        try:
            data, sender = self.sock.recvfrom(1024 if wrong("receives-1024") else 65536)
        except ConnectionRefusedError:
            return self.refused()
        if not data and wrong("ends-at-empty-datagram"):
            raise Over("The server is gone.", 1)
        if sender[:2] == self.server[:2]:
            self.arrived(data)
        if wrong("forgets-queued"):
            time.sleep(0.05)
            while select.select([self.sock], [], [], 0)[0]:
                self.sock.recvfrom(65536)

    def handle(self, data):
        if wrong("incoming-raw"):
            return self.print(self.decode(data))
        pattern = rb"INCOMING (\S+) (\d+) (.*)"
        if wrong("word-incoming-anywhere"):
            pattern = rb".*INCOMING ?(\S*) ?(\d*) ?(.*)"
        match = re.fullmatch(pattern, data, re.DOTALL)
        if not match:
            if wrong("dies-of-garbage"):
                _, ip, port, text = data.split(b" ", 3)
                int(port)
                raise ValueError("not INCOMING")
            if wrong("shows-garbage"):
                self.print(self.decode(data))
            if wrong("answers-garbage"):
                self.send(b"ERROR unknown message")
            return
        ip, port, text = match.groups()
        if wrong("dies-of-ipv6"):
            socket.inet_aton(ip.decode())
        if wrong("incoming-hides-own") and text in self.said:
            return
        if wrong("incoming-from-server"):
            ip, port = self.server[0].encode(), b"%d" % self.server[1]
        if wrong("port-with-wrong-bytes"):
            port = b"%d" % socket.ntohs(int(port) & 0xFFFF)
        name = b"%s %s" % (ip, port) if wrong("incoming-with-blank") else b"%s:%s" % (ip, port)
        name = ip if wrong("incoming-without-port") else port if wrong("incoming-without-ip") else name
        self.show(name, text.split(b" ")[0] if wrong("incoming-first-word") else text)
        if wrong("answers-messages"):
            self.typed("thank you")
        if wrong("greets-again"):
            self.send(b"GREETING")

    def form(self, name, text):
        if wrong("incoming-without-brackets"):
            return f"From {name}: {text}"
        return f"<From {name}> {text}" if wrong("incoming-without-colon") else f"<From {name}>: {text}"

    def goodbye(self, interrupted):
        if wrong("says-goodbye"):
            self.send(b"GOODBYE")


main(Datagram, "HOST PORT (udp)", MISTAKES, {"sends-line-end"})
