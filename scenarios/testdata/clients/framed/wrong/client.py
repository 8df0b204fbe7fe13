"""Framed chat client with exactly one mistake: client.py [--mistake NAME] HOST PORT USER, or --list"""

import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
from wrongbase import Client, main, wrong

MISTAKES = {
    "hard-coded-user": "calls itself student whatever it is told",
    "user-in-lower-case": "sends its name in lower case",
    "lengths-little-endian": "sends the lengths low byte first, and reads them so",
    "sends-little-endian": "sends the lengths low byte first, and reads them right",
    "reads-little-endian": "reads the lengths low byte first, and sends them right",
    "native-struct": "sends the header with struct's native alignment, two bytes of padding in it",
    "lengths-in-characters": "sends the number of characters instead of the number of bytes",
    "lengths-swapped": "sends MessageL before UNameL",
    "text-before-name": "sends Message before Username",
    "lengths-in-digits": "sends the lengths as text",
    "name-length-in-4-bytes": "sends UNameL in 4 bytes",
    "length-with-header": "counts the header into MessageL",
    "name-with-newline": "sends its name with a line end",
    "name-with-colon": "sends its name with a colon and a blank",
    "text-with-zero-byte": "ends each text with a zero byte",
    "text-with-name": "writes its name in front of each text",
    "no-name-in-messages": "sends its name in the login only, and then an empty one",
    "no-login": "sends no login; the first frame is the first message",
    "login-without-name": "logs in with an empty name",
    "login-twice": "sends the login twice",
    "login-is-the-name-alone": "logs in with its name and no header",
    "login-after-header-only": "sends the header of the login, and the name with the first message",
    "header-must-come-whole": "forgets a header that does not come in one piece",
    "reads-name-and-text-once": "calls recv() once for name and text and takes what it gets",
    "ignores-empty-names": "ends when a name is empty",
    "logs-in-again": "sends a new login after each message from the server",
}


class Framed(Client):
    prompt = "> "

    def __init__(self, host, port, user):
        if wrong("hard-coded-user"):
            user = "student"
        super().__init__(host, int(port), user.lower() if wrong("user-in-lower-case") else user)

    def frame(self, name, text):
        n, m = len(name), len(text)
        if wrong("lengths-in-characters"):
            n, m = len(name.decode("utf-8", "ignore")), len(text.decode("utf-8", "ignore"))
        m += 6 + n if wrong("length-with-header") else 0
        m += 1 if wrong("text-with-zero-byte") else 0
        header = struct.pack("!HI", n, m)
        if wrong("lengths-little-endian") or wrong("sends-little-endian"):
            header = struct.pack("<HI", n, m)
        if wrong("native-struct"):
            header = struct.pack("HI", n, m)
        if wrong("lengths-swapped"):
            header = struct.pack("!IH", m, n)
        if wrong("lengths-in-digits"):
            header = b"%02d%04d" % (n, m)
        if wrong("name-length-in-4-bytes"):
            header = struct.pack("!II", n, m)
        text += b"\0" if wrong("text-with-zero-byte") else b""
        return header + (text + name if wrong("text-before-name") else name + text)

    def own(self):
        return (self.user + ("\n" if wrong("name-with-newline") else ": " if wrong("name-with-colon") else "")).encode()

    def hello(self):
        login = self.frame(b"" if wrong("login-without-name") else self.own(), b"")
        if wrong("login-after-header-only"):
            login, self.rest = login[:6], login[6:]
        if wrong("login-is-the-name-alone"):
            login = self.user.encode()
        if not wrong("no-login"):
            self.send(login * 2 if wrong("login-twice") else login)

    def typed(self, text):
        if wrong("login-after-header-only") and self.rest:
            self.send(self.rest)
            self.rest = b""
        text = self.encode(text)
        name = b"" if wrong("no-name-in-messages") else self.own()
        self.send(self.frame(name, name + b": " + text if wrong("text-with-name") else text))

    def take(self):
        data = self.buffer
        if len(data) < 6:
            if wrong("header-must-come-whole"):
                self.buffer = b""
            return None
        little = wrong("lengths-little-endian") or wrong("reads-little-endian")
        n, m = struct.unpack("<HI" if little else "!HI", data[:6])
        if wrong("reads-name-and-text-once") and len(data) < 6 + n + m:
            if len(data) == 6:
                return None
            self.buffer = b""
            return data[6:6 + n], data[6 + n:]
        if len(data) < 6 + n + m:
            return None
        self.buffer = data[6 + n + m:]
        return data[6:6 + n], data[6 + n:6 + n + m]

    def handle(self, message):
        name, text = message
        if wrong("ignores-empty-names") and not name:
            raise ValueError("no name")
        self.show(name, text)
        if wrong("answers-messages"):
            self.typed("thank you")
        if wrong("logs-in-again"):
            self.hello()


main(Framed, "HOST PORT USER", MISTAKES)
