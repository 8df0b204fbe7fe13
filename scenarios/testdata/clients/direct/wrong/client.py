"""Client for direct messages with exactly one mistake: client.py [--mistake NAME] HOST PORT, or --list"""

import os
import select
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
from wrongbase import Client, EndOfStream, Over, main, wrong

ANSWERS = {
    "prints-no-success": "prints nothing when the result is ok",
    "prints-no-failure": "prints nothing when the result is failure",
    "success-for-failure": "prints Success for every result",
    "failure-for-success": "prints Failure for every result",
    "results-swapped": "takes 0 for failure and 1 for ok",
    "success-in-lower-case": "prints success",
    "success-in-upper-case": "prints SUCCESS",
    "success-with-mark": "prints Success!",
    "success-in-other-words": "prints OK",
    "failure-in-other-words": "prints Error",
    "failure-in-lower-case": "prints failure",
    "prints-result-as-number": "prints Result: 0",
    "success-for-list": "prints Success for a LIST too",
    "success-for-message": "prints Success for a SENDTO too",
    "success-before-answer": "prints Success as soon as it has sent something, and nothing for the answer",
    "message-with-from": "prints from alice: hi",
    "message-in-brackets": "prints [alice] hi",
    "message-without-blank": "prints alice:hi",
    "message-on-two-lines": "prints name and text on lines of their own",
    "list-not-shown": "prints nothing for a LIST",
    "list-first-only": "prints only the first name of a LIST",
    "list-number-only": "prints only how many names a LIST has",
    "dies-of-empty-list": "ends with a traceback when a LIST is empty",
    "dies-of-malformed": "ends with a traceback when the result is malformed packet",
    "answers-with-response": "sends a RESPONSE for each SENDTO that it receives",
    "asks-for-list-after-login": "sends a list by itself when a login was answered",
    "logs-in-again-after-failure": "sends the login again when it was answered Failure",
    "drops-messages-before-the-answer": "does not show a message that comes between a command and its answer",
    "deaf-until-list": "shows messages only when an answer comes",
}
PACKETS = {
    "lengths-little-endian": "sends and reads lengths low byte first",
    "sends-little-endian": "sends lengths low byte first",
    "reads-little-endian": "reads lengths low byte first",
    "lengths-in-characters": "sends the number of characters instead of the number of bytes",
    "text-length-in-1-byte": "sends the length of the text in 1 byte",
    "text-length-in-4-bytes": "sends the length of the text in 4 bytes",
    "name-length-in-2-bytes": "sends the length of a name in 2 bytes",
    "name-padded": "sends each name in 20 bytes, with zero bytes at the end",
    "name-with-newline": "sends its name with a line end",
    "name-with-zero-byte": "sends its name with a zero byte",
    "text-with-newline": "sends each text with a line end",
    "text-with-zero-byte": "sends each text with a zero byte",
    "types-from-zero": "counts the types from 0",
    "types-as-digits": "sends the type as a digit",
    "list-with-length": "sends a zero byte behind the type of a list",
    "logout-with-name": "sends its name with a logout",
    "line-end-behind-packets": "sends a line end behind each packet",
    "commands-as-text": "sends the line that was typed",
    "logs-in-at-start": "logs in as student at start",
    "connection-per-command": "opens a new connection for each command",
}
RULES = {
    "checks-nothing": "sends whatever is typed, without a check",
    "says-it-and-sends": "prints the error, and sends the packet all the same",
    "error-ends-it": "ends after an error",
    "errors-hidden": "prints nothing for a wrong command",
    "errors-in-lower-case": "prints bad username",
    "errors-in-other-words": "prints Error: and a sentence",
    "errors-with-one-word": "prints Invalid command for every error",
    "extra-is-invalid-command": "prints Invalid command for login with two words",
    "accepts-21": "logs in with a name of 21 characters",
    "refuses-20": "prints Bad username for a name of 20 characters",
    "limit-in-bytes": "counts the 20 characters of a name in bytes",
    "takes-first-word": "logs in as John at login John Doe",
    "takes-all-words": "logs in as John Doe at login John Doe",
    "login-without-name": "sends a login with an empty name",
    "case-insensitive-names": "sends names in lower case",
    "list-extra-ignored": "sends a list at list bob",
    "list-extra-is-bad-username": "prints Bad username at list bob",
    "logout-extra-ignored": "sends a logout at logout Joe",
    "exit-extra-ignored": "ends at exit client",
    "sendto-accepts-21": "sends to a name of 21 characters",
    "sendto-refuses-20": "prints Bad username for a receiver of 20 characters",
    "sendto-without-text-sent": "sends an empty text at sendto bob",
    "sendto-without-text-is-bad-message": "prints Bad message at sendto bob",
    "sendto-without-text-is-invalid-command": "prints Invalid command at sendto bob",
    "sendto-first-word-only": "sends only the first word of a text",
    "sendto-text-with-name": "sends the name of the receiver as a part of the text",
    "sendto-long-text-cut": "sends the first 65535 bytes of a text that is too long",
    "sendto-long-text-split": "sends a text that is too long in two packets",
    "sendto-long-text-is-bad-username": "prints Bad username for a text that is too long",
    "sendto-long-text-traceback": "ends with a traceback at a text that is too long",
    "sendto-refuses-65535": "prints Bad message for a text of 65535 characters",
    "sendto-limit-1024": "prints Bad message for a text of more than 1024 characters",
    "sendto-needs-login": "prints Failure by itself when it is not logged in",
    "list-needs-login": "prints Failure by itself for a list when it is not logged in",
    "list-is-remembered": "asks for the list only once, and prints the same again",
    "logout-closes": "closes the connection at logout",
    "logout-ends": "ends at logout",
    "logout-sends-nothing": "prints Success at logout, and sends nothing",
    "no-login-after-logout": "prints Failure by itself for a login after a logout",
    "exit-stays": "closes the connection at exit, and does not end",
    "exit-only-answers": "prints Goodbye at exit, and goes on",
    "exit-with-1": "ends at exit with 1",
}


class Bad(Exception):
    pass


class Direct(Client):
    keepalive = "list"

    def __init__(self, host, port):
        super().__init__(host, int(port), "me")
        self.due, self.logged_in, self.gone, self.remembered, self.kept, self.login = 0, False, False, None, [], b""

    def hello(self):
        if wrong("logs-in-at-start"):
            self.typed("login student")

    # commands

    def split(self, text):
        command, name, said = (text.split(" ", 2) + ["", ""])[:3]
        return [f"{command} {name} {part}" for part in super().split(said)] if len(said) > 512 else [text]

    def typed(self, line):
        if wrong("commands-as-text"):
            return self.transmit(self.encode(line + "\n"))
        command, _, rest = line.partition(" ")
        try:
            {"login": self.do_login, "sendto": self.do_sendto}.get(command, lambda r: self.do_bare(command, r))(rest)
        except Bad as e:
            error = str(e)
            if wrong("errors-in-lower-case"):
                error = error.lower()
            if wrong("errors-with-one-word"):
                error = "Invalid command"
            if wrong("errors-in-other-words"):
                error = "Error: this is not right."
            if not wrong("errors-hidden"):
                self.print(error)
            if wrong("says-it-and-sends"):
                self.transmit({"login": b"\x01\x04John", "sendto": b"\x03\x03bob\x00\x01x"}.get(command, b"\x02"))
            if wrong("error-ends-it"):
                raise Over("", 1)

    def check(self, good, error):
        if not good and not wrong("checks-nothing"):
            raise Bad(error)

    def limit(self, name, command):
        more, less = ("accepts-21", "refuses-20") if command == "login" else ("sendto-accepts-21", "sendto-refuses-20")
        most = 21 if wrong(more) else 19 if wrong(less) else 20
        return len(name.encode("utf-8", "surrogateescape") if wrong("limit-in-bytes") else name) <= most

    def do_login(self, rest):
        words = rest.split()
        if wrong("takes-first-word"):
            rest, words = (words or [""])[0], words[:1]
        if wrong("takes-all-words"):
            words = words and [rest]
        self.check(len(words) < 2, "Invalid command" if wrong("extra-is-invalid-command") else "Bad username")
        self.check(rest and self.limit(rest, "login") or rest == "" and wrong("login-without-name"), "Bad username")
        if wrong("no-login-after-logout") and self.gone:
            return self.print("Failure")
        rest += "\n" if wrong("name-with-newline") else "\0" if wrong("name-with-zero-byte") else ""
        self.logged_in = True
        self.login = self.type(1) + self.name(rest)
        self.transmit(self.login)

    def do_sendto(self, rest):
        to, _, text = rest.partition(" ")
        self.check(to and self.limit(to, "sendto"), "Bad username")
        if not text and not wrong("sendto-without-text-sent"):
            words = {"sendto-without-text-is-bad-message": "Bad message",
                     "sendto-without-text-is-invalid-command": "Invalid command"}
            self.check(False, next((w for m, w in words.items() if wrong(m)), "Bad username"))
        if wrong("sendto-needs-login") and not self.logged_in:
            return self.print("Failure")
        text = text.split(" ")[0] if wrong("sendto-first-word-only") else text
        text = rest if wrong("sendto-text-with-name") else text
        text += "\n" if wrong("text-with-newline") else "\0" if wrong("text-with-zero-byte") else ""
        data = self.encode(text)
        most = 1024 if wrong("sendto-limit-1024") else 65534 if wrong("sendto-refuses-65535") else 65535
        parts = [data]
        if len(data) > 65535 and wrong("sendto-long-text-cut"):
            parts = [data[:65535]]
        if len(data) > 65535 and wrong("sendto-long-text-split"):
            parts = [data[:65535], data[65535:]]
        error = "Bad username" if wrong("sendto-long-text-is-bad-username") else "Bad message"
        if not wrong("sendto-long-text-traceback"):
            self.check(all(len(p) <= most for p in parts), error)
        for part in parts:
            self.transmit(self.type(3) + self.name(to) + self.text(part))

    def do_bare(self, command, rest):
        ignored = command in ("list", "logout", "exit") and wrong(command + "-extra-ignored")
        word = "Bad username" if wrong("list-extra-is-bad-username") and command == "list" else "Invalid command"
        self.check(command in ("list", "logout", "exit") and (not rest or ignored), word)
        if command == "exit":
            self.do_exit()
        elif command == "logout":
            self.do_logout()
        elif command == "list" and wrong("list-needs-login") and not self.logged_in:
            self.print("Failure")
        elif command == "list" and wrong("list-is-remembered") and self.remembered:
            self.print(self.remembered)
        elif command == "list":
            self.transmit(self.type(2) + (b"\0" if wrong("list-with-length") else b""))

    def do_logout(self):
        self.logged_in, self.gone = False, True
        if wrong("logout-sends-nothing"):
            return self.print("Success")
        self.transmit(self.type(4) + (self.name("alice") if wrong("logout-with-name") else b""))
        if wrong("logout-ends"):
            self.leave(0)
        if wrong("logout-closes"):
            self.sock.close()
            self.connect()
            self.watched = [0]

    def do_exit(self):
        if wrong("exit-only-answers"):
            return self.print("Goodbye")
        if wrong("exit-stays"):
            self.sock.close()
            self.watched = [0]
            return
        self.leave(1 if wrong("exit-with-1") else 0)

    # packets out

    def type(self, number):
        number -= 1 if wrong("types-from-zero") else 0
        return b"%d" % number if wrong("types-as-digits") else bytes([number])

    def order(self, sending):
        both, one = wrong("lengths-little-endian"), wrong("sends-little-endian" if sending else "reads-little-endian")
        return "little" if both or one else "big"

    def name(self, name):
        name = self.encode(name.lower() if wrong("case-insensitive-names") else name)
        count = len(name.decode("utf-8", "replace")) if wrong("lengths-in-characters") else len(name)
        if wrong("name-padded"):
            return bytes([20]) + name.ljust(20, b"\0")
        if wrong("name-length-in-2-bytes"):
            return (count & 0xFFFF).to_bytes(2, "big") + name
        return bytes([count & 0xFF]) + name

    def text(self, data):
        count = len(data.decode("utf-8", "replace")) if wrong("lengths-in-characters") else len(data)
        if wrong("text-length-in-1-byte"):
            return bytes([count & 0xFF]) + data
        if wrong("checks-nothing"):
            count &= 0xFFFF
        return count.to_bytes(4 if wrong("text-length-in-4-bytes") else 2, self.order(True)) + data

    def transmit(self, packet):
        if wrong("connection-per-command") and self.due == 0 and self.typed_lines > 1:
            self.sock.close()
            self.connect()
            self.watched = [0, self.sock]
        self.send(packet + (b"\n" if wrong("line-end-behind-packets") else b""))
        self.due += 1
        if wrong("success-before-answer"):
            self.print("Success")

    # packets in

    def take(self):
        """The first packet as (type, values), taken off the buffer; None while it is not complete."""
        data, self.at = self.buffer, 1
        try:
            kind = data[0]
            if kind == 5:
                packet = 5, [self.field(1) for _ in range(self.number(2))]
            elif kind == 7:
                packet = 7, (self.field(1), self.field(2))
            elif kind == 6:
                packet = 6, self.number(1)
            else:
                raise Over("The server sends nonsense.", 1)
        except IndexError:
            return None
        self.buffer = data[self.at:]
        return packet

    def number(self, size):
        return int.from_bytes(self.bytes(size), self.order(False))

    def field(self, size):
        return self.bytes(self.number(size))

    def bytes(self, count):
        self.at += count
        if self.at > len(self.buffer):
            raise IndexError
        return self.buffer[self.at - count:self.at]

    def form(self, name, text):
        if wrong("message-with-from"):
            return f"from {name}: {text}"
        if wrong("message-in-brackets"):
            return f"[{name}] {text}"
        colon = ":" if wrong("message-without-blank") else ":\n" if wrong("message-on-two-lines") else ": "
        return name + colon + text

    def handle(self, packet):
        kind, value = packet
        if wrong("deaf-until-list"):
            self.kept.append(packet)
            if kind == 7:
                return
            packets, self.kept = self.kept, []
        else:
            packets = [packet]
        for kind, value in packets:
            {5: self.listed, 6: self.response, 7: self.told}[kind](value)

    def listed(self, names):
        self.due -= 1
        if wrong("dies-of-empty-list"):
            names[0]
        names = names[:1] if wrong("list-first-only") else names
        shown = "" if wrong("list-number-only") else ", ".join(self.decode(n) for n in names)
        self.remembered = f"users ({len(names)}): {shown}"
        if not wrong("list-not-shown"):
            self.print(self.remembered)
        if wrong("success-for-list"):
            self.print("Success")

    def response(self, result):
        self.due -= 1
        if wrong("dies-of-malformed"):
            ["Success", "Failure"][result]
        if wrong("results-swapped") and result < 2:
            result = 1 - result
        if wrong("success-for-failure") or wrong("failure-for-success"):
            result = 0 if wrong("success-for-failure") else 1
        word = {0: "Success", 1: "Failure"}.get(result, "Malformed packet")
        other = {("success-in-lower-case", 0): "success", ("success-in-upper-case", 0): "SUCCESS",
                 ("success-with-mark", 0): "Success!", ("success-in-other-words", 0): "OK",
                 ("failure-in-other-words", 1): "Error", ("failure-in-lower-case", 1): "failure",
                 ("prints-no-success", 0): "", ("prints-no-failure", 1): ""}
        word = next((w for (m, r), w in other.items() if wrong(m) and r == result), word)
        word = f"Result: {result}" if wrong("prints-result-as-number") else word
        if word and not wrong("success-before-answer"):
            self.print(word)
        if wrong("asks-for-list-after-login") and self.logged_in and self.remembered is None:
            self.remembered = ""
            self.transmit(self.type(2))
        if wrong("logs-in-again-after-failure") and result == 1 and self.login:
            self.transmit(self.login)

    def told(self, message):
        name, text = message
        if wrong("drops-messages-before-the-answer") and self.due > 0:
            return
        self.show(name, text)
        if wrong("success-for-message"):
            self.print("Success")
        if wrong("answers-with-response"):
            self.send(b"\x06\x00")
        if wrong("answers-messages"):
            self.transmit(self.type(3) + self.name("bob") + self.text(b"thank you"))

    def last_words(self):
        """Answers that have not come yet are waited for, a second at most."""
        until = time.monotonic() + 1
        try:
            while self.due > 0 and select.select([self.sock], [], [], max(0, until - time.monotonic()))[0]:
                self.readable()
        except (OSError, EndOfStream):
            pass
        self.sock.close()


main(Direct, "HOST PORT", ANSWERS | PACKETS | RULES, {"joins-lines", "sends-line-end", "shows-own-name"})
