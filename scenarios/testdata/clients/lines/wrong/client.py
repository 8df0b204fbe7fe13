"""Line chat client with exactly one mistake: client.py [--mistake NAME] USER chat://HOST:PORT, or --list"""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
from wrongbase import Client, Over, main, wrong

MISTAKES = {
    "hard-coded-user": "calls itself student whatever it is told",
    "user-in-lower-case": "sends its name in lower case",
    "any-address-accepted": "takes http://HOST:PORT for an address too, and HOST:PORT",
    "takes-no-host-name": "takes only four numbers as the host, and no name",
    "traceback-at-wrong-address": "ends with a traceback at an address that is none",
    "exits-0-at-wrong-address": "says that an address is wrong, and exits with 0",
    "no-register": "sends no registration",
    "registers-at-first-message": "sends its registration with the first message",
    "registers-twice": "sends its registration twice",
    "registers-in-lower-case": "sends register and chat/1.0",
    "registers-without-version": "sends REGISTER and the name alone",
    "registers-with-other-version": "sends CHAT/2.0",
    "registers-with-at-sign": "sends REGISTER @user",
    "sends-no-line-end": "ends no line",
    "sends-line-end-first": "sends the line end in front of each line",
    "sends-without-prefix": "sends the text alone",
    "prefix-twice": "sends the prefix twice",
    "prefix-without-at": "sends user: text",
    "prefix-without-blank": "sends @user:text",
    "prefix-without-colon": "sends @user text",
    "ignores-400": "goes on after 400",
    "ignores-401": "goes on after 401",
    "hides-401": "ends after 400 and 401 without printing them",
    "exits-0-after-401": "ends after 400 and 401 with 0",
    "keeps-connection-after-401": "prints 400 and 401, and stays",
    "status-anywhere": "ends at every line with 400 or 401 in it",
    "needs-words-of-status": "knows 200 only with the words of the page, and ends at others",
    "no-goodbye-at-end": "does not say DISCONNECT at the end of its input",
    "no-goodbye-on-interrupt": "does not say DISCONNECT at an interrupt",
    "goodbye-without-name": "says DISCONNECT CHAT/1.0, as the server does",
    "goodbye-without-version": "says DISCONNECT user",
    "goodbye-without-line-end": "says DISCONNECT without a line end",
    "goodbye-as-message": "says @user: DISCONNECT user CHAT/1.0",
    "goodbye-before-last-line": "says DISCONNECT before what was typed last",
    "goodbye-twice": "says DISCONNECT twice",
    "waits-for-answer-to-goodbye": "waits for an answer to its DISCONNECT",
    "stays-after-goodbye": "says DISCONNECT, and neither closes nor exits",
    "goodbye-after-each-line": "says DISCONNECT after each message",
    "ignores-disconnect": "goes on after DISCONNECT of the server",
    "waits-for-the-line-at-disconnect": "does not end at DISCONNECT of the server while a line is half typed",
    "silent-at-disconnect": "ends at DISCONNECT of the server without a word",
    "obeys-disconnect-in-a-text": "ends at every line with DISCONNECT in it that comes",
    "obeys-typed-disconnect": "ends when DISCONNECT is typed inside a text",
    "shows-cr": "sends a CR before the line end to the terminal as it is",
    "needs-cr": "knows a line only by CR LF",
}


class Lines(Client):
    prompt = "> "

    def __init__(self, user, address):
        pattern = r"chat://(\[[^\]]+\]|[^:/]+):(\d+)/?"
        if wrong("any-address-accepted"):
            pattern = r"(?:\w+://)?(\[[^\]]+\]|[^:/]+):(\d+)/?"
        if wrong("takes-no-host-name"):
            pattern = r"chat://([\d.]+):(\d+)"
        match = re.fullmatch(pattern, address)
        if not match:
            if wrong("traceback-at-wrong-address"):
                raise AttributeError("no match")
            if wrong("exits-0-at-wrong-address"):
                print("wrong address")
                sys.exit(0)
            raise ValueError(f"wrong address {address}")
        user = "student" if wrong("hard-coded-user") else user.lower() if wrong("user-in-lower-case") else user
        super().__init__(match[1].strip("[]"), int(match[2]), user)
        self.registered, self.last = False, None

    def send_line(self, line):
        data = self.encode(line)
        if wrong("sends-line-end-first"):
            data = b"\n" + data
        elif not wrong("sends-no-line-end"):
            data += b"\n"
        self.send(data)

    def hello(self):
        if not wrong("registers-at-first-message"):
            self.register()

    def register(self):
        line = f"REGISTER {self.user} CHAT/1.0"
        if wrong("registers-in-lower-case"):
            line = f"register {self.user} chat/1.0"
        if wrong("registers-without-version"):
            line = f"REGISTER {self.user}"
        if wrong("registers-with-other-version"):
            line = f"REGISTER {self.user} CHAT/2.0"
        if wrong("registers-with-at-sign"):
            line = f"REGISTER @{self.user} CHAT/1.0"
        if not wrong("no-register"):
            self.send_line(line)
        if wrong("registers-twice"):
            self.send_line(line)
        self.registered = True

    def typed(self, text):
        if not self.registered:
            self.register()
        if wrong("obeys-typed-disconnect") and "DISCONNECT" in text:
            self.leave(0)
        prefix = f"@{self.user}: "
        if wrong("sends-without-prefix"):
            prefix = ""
        if wrong("prefix-twice"):
            prefix *= 2
        if wrong("prefix-without-at"):
            prefix = f"{self.user}: "
        if wrong("prefix-without-blank"):
            prefix = f"@{self.user}:"
        if wrong("prefix-without-colon"):
            prefix = f"@{self.user} "
        if wrong("goodbye-before-last-line"):
            if self.last is not None:
                self.send_line(self.last)
            self.last = prefix + text
            return
        self.send_line(prefix + text)
        if wrong("goodbye-after-each-line"):
            self.say_goodbye()

    def goodbye(self, interrupted):
        if wrong("no-goodbye-on-interrupt" if interrupted else "no-goodbye-at-end"):
            return
        self.say_goodbye()
        if wrong("goodbye-before-last-line") and self.last is not None:
            self.send_line(self.last)
        if wrong("goodbye-twice"):
            self.say_goodbye()
        if wrong("waits-for-answer-to-goodbye"):
            while b"\n" not in self.sock.recv(4096):
                pass
        while wrong("stays-after-goodbye"):
            self.sock.recv(4096)

    def say_goodbye(self):
        line = f"DISCONNECT {self.user} CHAT/1.0"
        if wrong("goodbye-without-name"):
            line = "DISCONNECT CHAT/1.0"
        if wrong("goodbye-without-version"):
            line = f"DISCONNECT {self.user}"
        if wrong("goodbye-as-message"):
            line = f"@{self.user}: {line}"
        self.send(self.encode(line)) if wrong("goodbye-without-line-end") else self.send_line(line)

    def take(self):
        end = b"\r\n" if wrong("needs-cr") else b"\n"
        if wrong("piece-for-a-whole"):
            line, self.buffer = self.buffer, b""
            return line.removesuffix(b"\n")
        if end not in self.buffer:
            return None
        line, _, self.buffer = self.buffer.partition(end)
        return line if wrong("shows-cr") else line.removesuffix(b"\r")

    def handle(self, line):
        status = line[:3] if line[:3].isdigit() else b""
        if wrong("status-anywhere") and (b"400" in line or b"401" in line):
            status = b"401"
        if wrong("needs-words-of-status") and status == b"200" and line != b"200 Registration successful":
            raise Over("This is no chat server.", 1)
        if wrong("obeys-disconnect-in-a-text") and b"DISCONNECT" in line:
            line = b"DISCONNECT CHAT/1.0"
        if line == b"DISCONNECT CHAT/1.0" and wrong("waits-for-the-line-at-disconnect") and self.keyboard.text:
            self.watched.remove(self.sock)
            return
        if line == b"DISCONNECT CHAT/1.0" and not wrong("ignores-disconnect"):
            raise Over("" if wrong("silent-at-disconnect") else "The server shuts down.", 0)
        if status in (b"400", b"401"):
            if not wrong("hides-401"):
                self.print(self.decode(line))
            if wrong("keeps-connection-after-401") or wrong("ignores-" + status.decode()):
                return
            raise Over("", 0 if wrong("exits-0-after-401") else 1)
        if not line.startswith(b"@"):
            return self.print("* " + self.decode(line))
        name, _, text = line[1:].partition(b": ")
        if wrong("shows-cr") and text.endswith(b"\r"):
            return self.print(self.form(self.decode(name), self.decode(text[:-1]) + "\r"))
        self.show(name, text)
        if wrong("answers-messages"):
            self.typed("thank you")


main(Lines, "USER chat://HOST:PORT", MISTAKES)
