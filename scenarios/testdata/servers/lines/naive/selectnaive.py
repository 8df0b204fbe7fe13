# Line chat server as handed in: a select loop, but no buffers.
#
# Usage: python3 selectnaive.py [PORT]
#
# What is wrong with it:
#   L-5   a text ends at its next colon, and blanks around it are removed; a line of more than 4096 bytes is cut, and
#         what follows is lost; an empty text is not relayed
#   L-5   line separators that are not LF (U+0085, U+2028, vertical tab, form feed, ...) end a line, too
#   L-8   SIGTERM ends the server without a word
#   L-9   REGISTER with anything behind it is good; a malformed registration is not answered
#   L-9   ... and REGISTER alone kills the server (IndexError)
#   L-10  a line in pieces is torn: its beginning is relayed, the rest is lost; a registration in pieces is lost
#   L-13  invalid UTF-8, also half a character at the end of a piece, kills the server; NUL is relayed
#   L-14  a reset kills the server; also when a send fails
#   L-15  sendall waits for a client that has stopped reading, and everybody waits with it
#
# Right: several clients at the same time, silent clients, several lines in a segment, registration with a message,
# another's name (the prefix is made from the registered one), control words in a text, a name that is taken.

import select
import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0))
server.listen()
print(f"Server listening on port {server.getsockname()[1]}...", flush=True)

sockets = [server]
names = {}      # socket -> name


def remove(sock):
    sockets.remove(sock)
    names.pop(sock, None)
    sock.close()


def handle(sock, line):
    if sock not in names:
        words = line.split(" ")
        if words[0] == "REGISTER":
            if words[1] in names.values():
                sock.sendall(b"401 Client already registered\n")
                remove(sock)
            else:
                names[sock] = words[1]
                sock.sendall(b"200 Registration successful\n")
    elif line.startswith("DISCONNECT"):
        remove(sock)
    elif line.startswith("@"):
        text = line.split(":")[1].strip() if ":" in line else ""
        if text:
            for other in names:
                if other is not sock:
                    other.sendall(f"@{names[sock]}: {text}\n".encode())


try:
    while True:
        readable, _, _ = select.select(sockets, [], [])
        for sock in readable:
            if sock is server:
                client, address = server.accept()
                sockets.append(client)
                continue
            data = sock.recv(4096)
            if not data:
                remove(sock)
                continue
            for line in data.decode().splitlines():
                if sock in sockets:
                    handle(sock, line)
except KeyboardInterrupt:
    for sock in names:
        sock.sendall(b"DISCONNECT CHAT/1.0\n")
