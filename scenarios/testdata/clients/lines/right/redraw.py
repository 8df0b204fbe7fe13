"""Line chat client for a terminal: two threads and a lock, one line at the bottom that is typed in.

Usage: python3 redraw.py USER chat://HOST:PORT

The terminal is switched to reading single keys without echo; this program echoes them. So it knows what is half typed
when a message comes, and writes it again behind the message. If input or output is no terminal, none of that happens.
"""

import atexit
import os
import re
import signal
import socket
import sys
import termios
import threading
import tty
from codecs import getincrementaldecoder

ERASE = "\r\x1b[K"
screen = threading.RLock()     # holds for everything that is written, and for Editor.text


class Editor:
    """The line at the bottom."""

    def __init__(self, prompt):
        self.interactive = sys.stdin.isatty() and sys.stdout.isatty()
        self.prompt, self.text = prompt, ""
        if self.interactive:
            saved = termios.tcgetattr(0)
            self.give_back = lambda: termios.tcsetattr(0, termios.TCSANOW, saved)
            atexit.register(self.give_back)
            tty.setcbreak(0, termios.TCSANOW)

    def write(self, line):
        with screen:
            if self.interactive:
                sys.stdout.write(ERASE + line + "\n" + self.bottom())
            else:
                sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def bottom(self):
        width = max(10, os.get_terminal_size(1).columns or 80) - len(self.prompt) - 1
        return ERASE + self.prompt + self.text[-width:]

    def keys(self, data):
        """Takes what was typed, and returns the lines that it ended; None stands for Ctrl-D."""
        lines = []
        with screen:
            for key in data:
                if key in "\r\n":
                    lines.append(self.text)
                    sys.stdout.write(self.bottom() + "\n")
                    self.text = ""
                elif key in "\x7f\x08":
                    self.text = self.text[:-1]
                elif key == "\x04" and not self.text:
                    lines.append(None)
                elif key >= " ":
                    self.text += key
            sys.stdout.write(self.bottom())
            sys.stdout.flush()
        return lines

    def lines(self):
        """All lines that are typed, to the end of the input."""
        decoder = getincrementaldecoder("utf-8")("surrogateescape")
        rest = ""
        while data := os.read(0, 4096):
            if self.interactive:
                complete = self.keys(decoder.decode(data))
            else:
                *complete, rest = (rest + decoder.decode(data)).split("\n")
            for line in complete:
                if line is None:
                    return
                yield line
        if rest:
            yield rest


def clean(text):
    return re.sub("[\x00-\x1f\x7f-\x9f]", lambda m: f"<{ord(m[0]):02X}>", text)


class Leave(BaseException):
    """Raised by a signal."""


def end(editor, status, why):
    """From any thread. os._exit because the main thread may be reading; so the terminal is given back here."""
    with screen:
        if why:
            sys.stdout.write((ERASE if editor.interactive else "") + why + "\n")
        elif editor.interactive:
            sys.stdout.write("\n")
        sys.stdout.flush()
        if editor.interactive:
            editor.give_back()
        os._exit(status)


def listen(sock, editor, state):
    rest = b""
    try:
        while data := sock.recv(65536):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                line = line.decode("utf-8", "replace").removesuffix("\r")
                if line == "DISCONNECT CHAT/1.0":
                    end(editor, 0, "server is shutting down, bye")
                if line[:3] in ("400", "401"):
                    end(editor, 1, clean(line))
                editor.write(clean(line))
        why = "server hung up"
    except OSError as e:
        why = f"connection failed: {e.strerror}"
    if not state["leaving"]:
        end(editor, 1, why)


def main():
    address = re.match(r"chat://(.+):([0-9]+)$", sys.argv[2]) if len(sys.argv) == 3 else None
    if not address:
        sys.exit("usage: redraw.py USER chat://HOST:PORT")
    user = os.fsencode(sys.argv[1])
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    try:
        sock = socket.create_connection((address[1].strip("[]"), int(address[2])))
    except (OSError, OverflowError) as e:
        sys.exit(f"cannot connect: {e}")

    def leave(*_):
        raise Leave
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    editor, state = Editor("> "), {"leaving": False}
    listener = threading.Thread(target=listen, args=(sock, editor, state), daemon=True)
    wait = 1.0
    try:
        sock.sendall(b"REGISTER %s CHAT/1.0\n" % user)
        listener.start()
        for text in editor.lines():
            sock.sendall(b"@%s: %s\n" % (user, text.encode("utf-8", "surrogateescape")))
    except Leave:
        wait = 0.1
    except OSError as e:
        end(editor, 1, f"connection failed: {e.strerror}")
    state["leaving"] = True
    try:
        sock.sendall(b"DISCONNECT %s CHAT/1.0\n" % user)
        sock.shutdown(socket.SHUT_WR)
        listener.join(wait)
    except OSError:
        pass
    end(editor, 0, "")


main()
