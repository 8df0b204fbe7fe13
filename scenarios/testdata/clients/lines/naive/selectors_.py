"""Chat client as handed in: selectors, callbacks, readline() on both sides.

Usage: python3 selectors_.py USER chat://HOST:PORT

What is wrong with it:
  L-6   reads the socket through makefile() and one readline(): of several lines in one segment the others stay in the
        buffer, where the selector does not see them, until more comes; a line in pieces blocks the keyboard
  L-6   the same for the keyboard
  L-6   dies of text that is not UTF-8, and of a reset
  L-6   the prompt comes after each message, and what was half typed is not shown again
  L-7   the end of the input is taken for an empty line: it sends empty messages for ever
  -     strips blanks at the end of what is typed; takes every line whose first word is DISCONNECT, and every blank one,
        for the end; control characters go to the terminal as they are

Right: waits for the status, prints 400 and 401 and ends, says DISCONNECT at an interrupt, ends at DISCONNECT and at a
close, refuses a wrong address.
"""

import argparse
import selectors
import signal
import socket
import sys
from urllib.parse import urlparse

sel = selectors.DefaultSelector()
sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
user = ""


def do_prompt():
    print("> ", end="", flush=True)


def signal_handler(sig, frame):
    print("Interrupt received, shutting down ...")
    sock.send(f"DISCONNECT {user} CHAT/1.0\n".encode())
    sys.exit(0)


def handle_keyboard(stdin):
    line = stdin.readline()
    sock.send(f"@{user}: {line.rstrip()}\n".encode())
    do_prompt()


def handle_message(stream):
    message = stream.readline()
    words = message.split()
    if not words or words[0] == "DISCONNECT":
        print("Disconnected from server ... exiting!")
        sys.exit(0)
    print(message.rstrip("\n"))
    do_prompt()


def main():
    global user
    parser = argparse.ArgumentParser()
    parser.add_argument("user")
    parser.add_argument("server")
    args = parser.parse_args()
    user = args.user
    url = urlparse(args.server)
    if url.scheme != "chat" or url.port is None or url.hostname is None:
        print("Error: Invalid server. Enter a URL of the form: chat://host:port")
        sys.exit(1)
    signal.signal(signal.SIGINT, signal_handler)
    print("Connecting to server ...")
    try:
        sock.connect((url.hostname, url.port))
    except ConnectionRefusedError:
        print("Error: That host or port is not accepting connections.")
        sys.exit(1)
    stream = sock.makefile("r")
    sock.send(f"REGISTER {user} CHAT/1.0\n".encode())
    response = stream.readline()
    if not response.startswith("200"):
        print("Error: " + response)
        sys.exit(1)
    print("Registration successful. Ready for messaging!")
    sel.register(stream, selectors.EVENT_READ, handle_message)
    sel.register(sys.stdin, selectors.EVENT_READ, handle_keyboard)
    do_prompt()
    while True:
        for key, _ in sel.select():
            key.data(key.fileobj)


main()
