# Chat server as handed in: select, but no buffers.
#
# Usage: python3 selectnaive.py PORT
#
# What is wrong with it:
#   F-6   the list of users is displayed only when nothing has happened for three seconds
#   F-7   a reset is not caught: the server dies; also when a send fails
#   F-9   a header in pieces kills the server (struct.error)
#   F-9   a body in pieces: its beginning is relayed, the rest is taken for a header
#   F-1   the header has come, the body has not: recv waits for it and everybody waits with it
#   F-10  a huge length is given to recv as it is: a MemoryError, or waiting for 4 GiB
#   F-11  a frame cut off within the header kills the server; an empty name is let in; a name that is not UTF-8
#         kills the server
#   F-12  a message is relayed under the name in its frame
#   F-14  sendall waits for a client that has stopped reading, and everybody waits with it
#
# Right: several clients at the same time, silent clients, two frames in one segment, login with a message, notices,
# duplicate names are allowed.

import select
import signal
import socket
import struct
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen()
print("Listening on", sys.argv[1], flush=True)

sockets = [server]
names = {}      # socket -> name


def send_all_but(sender, name, message):
    frame = struct.pack("!HI", len(name), len(message)) + name + message
    for sock in names:
        if sock is not sender:
            sock.sendall(frame)


while True:
    readable, _, _ = select.select(sockets, [], [], 3)
    if not readable:
        print("Online:", ", ".join(names.values()), flush=True)
    for sock in readable:
        if sock is server:
            client, address = server.accept()
            sockets.append(client)
            continue

        header = sock.recv(6)
        if not header:
            sockets.remove(sock)
            if sock in names:
                name = names.pop(sock)
                send_all_but(sock, b"SERVER", f"*** {name} left ***".encode())
            sock.close()
            continue

        name_length, message_length = struct.unpack("!HI", header)
        body = sock.recv(name_length + message_length)
        name = body[:name_length]
        message = body[name_length:]
        if sock not in names:
            names[sock] = name.decode()
            send_all_but(sock, b"SERVER", f"*** {names[sock]} joined ***".encode())
        if message:
            send_all_but(sock, name, message)
