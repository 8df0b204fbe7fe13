"""What the clients with one mistake have in common: arguments, connection, keyboard, screen, and how they end.

PROTOCOL/wrong/client.py adds what its protocol asks. Everything here is right, except where wrong("a-name") says that
this mistake is the one that was chosen: by --mistake NAME, or in the environment as MISTAKE. Without one the client is
right. --list prints name and description of all, with a tab between.
"""

import codecs
import os
import re
import select
import signal
import socket
import struct
import sys
import termios
import time
import tty

CHOSEN = os.environ.get("MISTAKE", "")
KNOWN = {}      # name: what it does

# Mistakes that any client can make.
SCREEN = {
    "shows-nothing": "does not show what others say",
    "shows-no-name": "shows the text without who said it",
    "shows-no-text": "shows who said something, and not what",
    "shows-own-name": "shows its own name or address with what others say",
    "shows-first-only": "shows the first message that comes, and none after it",
    "shows-twice": "shows every message twice",
    "shows-after-enter": "looks at the socket only after a line was typed",
    "shows-late-by-one": "shows a message when the next one comes",
    "cuts-shown-at-1024": "shows only the first 1024 characters of a text",
    "cuts-shown-at-line-width": "shows only the first 80 characters of a text",
    "cuts-at-second-colon": "shows a text only up to a colon",
    "strips-shown": "strips blanks at both ends of what it shows",
    "joins-blanks-shown": "shows several blanks as one",
    "prints-controls-raw": "sends control characters from the network to the terminal as they are",
    "prints-bytes": "prints b'...' instead of the text",
    "reads-latin1": "reads what comes as Latin-1",
    "drops-what-is-not-ascii": "leaves out all characters that are not ASCII",
    "dies-of-invalid-utf8": "ends with a traceback when a text is no UTF-8",
    "deaf-after-invalid-utf8": "shows nothing any more after a text that is no UTF-8",
    "hides-invalid-utf8": "does not show a text that is no UTF-8",
    "dies-of-empty-text": "ends with a traceback when a text is empty",
}
STREAM = {
    "piece-for-a-whole": "takes what one recv() returns for whole messages, and forgets the rest",
    "loses-second-of-segment": "forgets what comes behind a message in the same segment",
    "receives-at-most-4096": "gives up a message that is not complete after 4096 bytes",
    "decodes-each-recv": "decodes what each recv() returns, so a character in two pieces becomes two wrong ones",
    "dies-of-half-a-character": "decodes what each recv() returns, and ends with a traceback at half a character",
    "hangs-when-closed": "does not notice that the server has closed",
    "hangs-when-reset": "goes on after a reset as if nothing had happened",
    "notices-close-after-enter": "notices that the server has closed only when a line is typed",
    "prints-for-ever-when-closed": "prints empty messages again and again when the server has closed",
    "silent-when-closed": "ends without a word when the server closes or resets",
    "traceback-when-closed": "ends with a traceback when the server closes",
    "traceback-when-reset": "ends with a traceback at a reset",
    "exits-0-when-refused": "says that there is no server, and exits with 0",
    "silent-when-refused": "exits without a word when there is no server",
    "traceback-when-refused": "ends with a traceback when there is no server",
    "waits-when-refused": "tries again for ever when there is no server",
    "terminal-raw-after-close": "leaves the terminal without echo when the server closes",
    "resets-at-end": "ends with a reset, which may destroy what it sent last",
    "keeps-connection-at-end": "at the end of its input it neither closes nor exits",
}
TYPING = {
    "hard-coded-port": "uses port 4445 whatever it is told",
    "hard-coded-host": "uses 127.0.0.1 whatever it is told",
    "first-line-twice": "sends the first line that is typed twice",
    "first-line-lost": "does not send the first line that is typed",
    "sends-every-line-twice": "sends every line twice",
    "deaf-while-typing": "does not look at the socket while a line is half typed",
    "loses-half-typed": "forgets what is half typed when a message comes",
    "sends-half-typed": "sends what is half typed when a message comes",
    "loses-second-line": "sends only the first of several lines that it reads at once",
    "joins-lines": "sends several lines that it reads at once as one",
    "exits-on-empty-line": "ends at an empty line",
    "obeys-quit-in-a-text": "ends at a line with the word quit in it",
    "strips-typed": "strips blanks at both ends of what is typed",
    "joins-blanks-typed": "sends several blanks as one",
    "sends-lower-case": "sends everything in lower case",
    "sends-line-end": "sends the line end as a part of the text",
    "splits-long-line": "sends a line of more than 512 characters as several messages",
    "cuts-typed-at-1024": "sends only the first 1024 bytes of a line",
    "sends-latin1": "sends Latin-1, and ? for what that does not have",
    "sends-nothing": "sends nothing of what is typed",
    "sends-keepalives": "sends something by itself when a fifth of a second was quiet",
    "answers-messages": "sends a text back for each message that comes",
    "ignores-end-of-input": "goes on for ever after the end of its input",
    "traceback-at-end-of-input": "ends with EOFError at the end of its input",
    "exits-1-at-end-of-input": "exits with 1 at the end of its input",
    "ignores-interrupt": "does not end at an interrupt",
    "traceback-at-interrupt": "ends with KeyboardInterrupt and its traceback at an interrupt",
    "terminal-raw-after-interrupt": "leaves the terminal without echo after an interrupt",
    "terminal-raw-after-end": "leaves the terminal without echo after the end of its input",
}


def wrong(name):
    assert name in KNOWN or name in STREAM, name
    return CHOSEN == name


class Over(Exception):
    """The end: what is printed, and the exit status."""


class Interrupt(BaseException):
    pass


class EndOfStream(Exception):
    """The server has closed after the user has gone, which is no news."""


class Keyboard:
    """Reads lines. On a terminal it reads single keys and echoes them itself."""

    def __init__(self):
        self.terminal = os.isatty(0) and os.isatty(1)
        self.decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self.text, self.open = "", True
        if self.terminal:
            self.before = termios.tcgetattr(0)
            tty.setcbreak(0, termios.TCSANOW)

    def restore(self):
        if self.terminal:
            termios.tcsetattr(0, termios.TCSANOW, self.before)

    def read(self):
        data = os.read(0, 65536)
        self.open = bool(data)
        lines = []
        for c in self.decoder.decode(data, not data):
            if c == "\n" or self.terminal and c == "\r":
                lines.append(self.text)
                self.text = ""
            elif self.terminal and c in "\x7f\b":
                self.text = self.text[:-1]
            elif self.terminal and c == "\x04":
                self.open = self.open and self.text != ""
            else:
                self.text += c
        if not data and self.text:
            lines.append(self.text)
            self.text = ""
        return lines


class Client:
    """A protocol gives it: hello(), typed(text), take() for one message of self.buffer, handle(message), goodbye()."""

    prompt = ""
    udp = False
    keepalive = ""  # what sends-keepalives types

    def __init__(self, host, port, user=""):
        self.host, self.port, self.user = host, port, user
        self.buffer, self.watched, self.shown, self.late = b"", [], 0, None
        self.typed_lines, self.keyboard, self.leaving = 0, None, False

    # the screen

    def print(self, line):
        wipe = "\r\x1b[K" if self.keyboard and self.keyboard.terminal else ""
        self.write(wipe + line + "\n")
        self.draw()

    def draw(self):
        if self.keyboard and self.keyboard.terminal:
            self.write("\r\x1b[K" + self.prompt + self.keyboard.text[-70:])

    def write(self, text):
        data = text.encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(1, data):]

    def form(self, name, text):
        return name + ": " + text

    def show(self, name, text):
        """Shows what somebody has said; both are bytes."""
        if wrong("shows-nothing") or wrong("shows-first-only") and self.shown or self.shown < 0:
            return
        self.shown += 1
        if text != text.decode("utf-8", "ignore").encode():
            if wrong("deaf-after-invalid-utf8"):
                self.shown = -1
            if wrong("deaf-after-invalid-utf8") or wrong("hides-invalid-utf8"):
                return
        if wrong("dies-of-empty-text"):
            text[0]
        if wrong("prints-bytes"):
            name, text = repr(name).encode(), repr(text).encode()
        if wrong("shows-own-name"):
            name = self.own_name()
        name, text = self.decode(name), self.decode(text)
        if wrong("cuts-shown-at-1024") or wrong("cuts-shown-at-line-width"):
            text = text[:1024 if wrong("cuts-shown-at-1024") else 80]
        text = text.split(":")[0] if wrong("cuts-at-second-colon") else text
        text = text.strip() if wrong("strips-shown") else text
        text = re.sub(" +", " ", text) if wrong("joins-blanks-shown") else text
        line = text if wrong("shows-no-name") else name + ":" if wrong("shows-no-text") else self.form(name, text)
        if wrong("shows-late-by-one"):
            line, self.late = self.late, line
        if line is not None:
            self.print(line)
            if wrong("shows-twice"):
                self.print(line)

    def own_name(self):
        return self.user.encode()

    def decode(self, data):
        if wrong("dies-of-invalid-utf8"):
            data.decode()
        if wrong("drops-what-is-not-ascii"):
            data = data.decode("ascii", "ignore").encode()
        text = data.decode("latin-1" if wrong("reads-latin1") else "utf-8", "replace")
        return text if wrong("prints-controls-raw") else visible(text)

    # the connection

    def send(self, data):
        self.sock.sendall(data)

    def connect(self):
        port = 4445 if wrong("hard-coded-port") else self.port
        host = "127.0.0.1" if wrong("hard-coded-host") else self.host
        while not self.udp:
            try:
                self.sock = socket.create_connection((host, port))
                return
            except OSError as e:
                if wrong("traceback-when-refused"):
                    raise RuntimeError("no server") from e
                if not wrong("waits-when-refused"):
                    raise Over("" if wrong("silent-when-refused") else f"Cannot connect to {host}:{port}: {e}",
                               0 if wrong("exits-0-when-refused") else 1)
                time.sleep(0.2)
        family, _, _, _, self.server = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self.sock = socket.socket(family, socket.SOCK_DGRAM)

    def readable(self):
        try:
            data = self.sock.recv(65536)
        except OSError as e:
            if self.leaving:
                raise
            if wrong("traceback-when-reset"):
                raise RuntimeError("reset") from e
            if wrong("hangs-when-reset"):
                self.watched.remove(self.sock)
                return
            raise
        if not data:
            if self.leaving:
                raise EndOfStream
            if wrong("traceback-when-closed"):
                raise RuntimeError("not enough data")
            if wrong("hangs-when-closed") or wrong("notices-close-after-enter"):
                self.watched.remove(self.sock)
                return
            if wrong("prints-for-ever-when-closed"):
                time.sleep(0.05)
                return self.print(": ")
            raise Over("" if wrong("silent-when-closed") else "The server has closed the connection.", 1)
        if wrong("decodes-each-recv"):
            data = data.decode("utf-8", "replace").encode()
        if wrong("dies-of-half-a-character"):
            data.decode()
        self.buffer = data if wrong("piece-for-a-whole") else self.buffer + data
        while self.buffer and (message := self.take()) is not None:
            self.arrived(message)
            if wrong("loses-second-of-segment"):
                self.buffer = b""
        if wrong("receives-at-most-4096") and len(self.buffer) > 4096:
            self.buffer = b""

    def arrived(self, message):
        self.handle(message)
        if wrong("loses-half-typed"):
            self.keyboard.text = ""
        if wrong("sends-half-typed") and self.keyboard.text:
            self.line(self.keyboard.text)
            self.keyboard.text = ""

    # the keyboard

    def line(self, text):
        self.typed_lines += 1
        if wrong("exits-on-empty-line") and not text or wrong("obeys-quit-in-a-text") and "quit" in text:
            self.leave(0)
        if wrong("first-line-lost") and self.typed_lines == 1 or wrong("sends-nothing"):
            return
        text = text.strip() if wrong("strips-typed") else text
        text = re.sub(" +", " ", text) if wrong("joins-blanks-typed") else text
        text = text.lower() if wrong("sends-lower-case") else text
        text = text[:1024] if wrong("cuts-typed-at-1024") else text
        text += "\n" if wrong("sends-line-end") else ""
        if wrong("sends-every-line-twice") or wrong("first-line-twice") and self.typed_lines == 1:
            self.typed(text)
        for part in self.split(text) if wrong("splits-long-line") else [text]:
            self.typed(part)

    def split(self, text):
        return [text[i:i + 512] for i in range(0, len(text), 512)] or [text]

    def encode(self, text):
        return text.encode("latin-1", "replace") if wrong("sends-latin1") else text.encode("utf-8", "surrogateescape")

    def keys(self):
        lines = self.keyboard.read()
        if wrong("joins-lines") and lines:
            lines = [" ".join(lines)]
        for text in lines[:1] if wrong("loses-second-line") else lines:
            if self.keyboard.terminal:
                self.print(self.prompt + visible(text))
            self.line(text)
            if wrong("notices-close-after-enter") and not self.udp and self.sock not in self.watched:
                raise Over("The server has closed the connection.", 1)
        self.draw()
        if not self.keyboard.open:
            if wrong("traceback-at-end-of-input"):
                raise EOFError("EOF when reading a line")
            if wrong("ignores-end-of-input"):
                self.watched.remove(0)
                return
            self.leave(1 if wrong("exits-1-at-end-of-input") else 0)

    # from the beginning to the end

    def leave(self, status):
        """The user goes. Half-closes, and shows what still comes."""
        self.goodbye(interrupted=False)
        self.leaving = True
        if not self.udp and wrong("keeps-connection-at-end"):
            while True:
                signal.pause()
        if not self.udp and wrong("resets-at-end"):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()
        else:
            self.last_words()
        raise Over("", status)

    def last_words(self):
        until = time.monotonic() + (0.3 if self.udp else 1)
        try:
            if not self.udp:
                self.sock.shutdown(socket.SHUT_WR)
            while select.select([self.sock], [], [], max(0, until - time.monotonic()))[0]:
                self.readable()
        except (OSError, EndOfStream):
            pass

    def goodbye(self, interrupted):
        pass

    def loop(self):
        self.watched = [0, self.sock]
        while True:
            deaf = wrong("shows-after-enter") or wrong("deaf-while-typing") and self.keyboard.text
            sources = [0] if deaf else self.watched
            ready = select.select(sources, [], [], 0.2 if wrong("sends-keepalives") else None)[0]
            if wrong("sends-keepalives") and not ready:
                self.typed(self.keepalive)
            if self.sock in ready:
                self.readable()
            if 0 in ready:
                before = self.typed_lines
                self.keys()
                if wrong("shows-after-enter") and self.typed_lines > before and select.select([self.sock], [], [], 0.05)[0]:
                    self.readable()

    def run(self):
        def interrupt(*_):
            raise KeyboardInterrupt if wrong("traceback-at-interrupt") else Interrupt
        for number in signal.SIGINT, signal.SIGTERM:
            ignored = wrong("ignores-interrupt") and number == signal.SIGINT
            signal.signal(number, signal.SIG_IGN if ignored else interrupt)
        raw = False     # whether the terminal is left as it is
        try:
            self.connect()
            self.keyboard = Keyboard()
            self.hello()
            self.draw()
            self.loop()
        except Interrupt:
            self.goodbye(interrupted=True)
            raw = wrong("terminal-raw-after-interrupt")
            return 130
        except Over as over:
            raw = wrong("terminal-raw-after-end") if self.leaving else self.left_raw_after_close()
            if over.args[0]:
                self.print(over.args[0])
            return over.args[1]
        except OSError as e:
            raw = self.left_raw_after_close()
            self.print("" if not self.udp and wrong("silent-when-closed") else f"Connection lost: {e}")
            return 1
        finally:
            if self.keyboard and self.keyboard.terminal:
                self.write("\r\x1b[K")
                raw or self.keyboard.restore()

    def left_raw_after_close(self):
        return not self.udp and wrong("terminal-raw-after-close")


def visible(text):
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda c: "\\x%02x" % ord(c[0]), text)


def main(make, usage, mistakes, unfit=()):
    """Runs the client that make(arguments) returns. unfit are common mistakes that make no difference in this one."""
    global CHOSEN
    KNOWN.update(SCREEN, **TYPING, **({} if "udp" in usage else STREAM), **mistakes)
    arguments = sys.argv[1:]
    if arguments[:1] == ["--list"]:
        for name, about in KNOWN.items():
            if name not in unfit:
                print(f"{name}\t{about}")
        sys.exit(0)
    if arguments[:1] == ["--mistake"]:
        CHOSEN, arguments = arguments[1], arguments[2:]
    if CHOSEN and CHOSEN not in KNOWN:
        sys.exit(f"no such mistake: {CHOSEN}")
    try:
        client = make(*arguments)
    except (TypeError, ValueError) as e:
        print(f"{e}\nusage: client.py [--mistake NAME] {usage}")
        sys.exit(2)
    sys.exit(client.run())
