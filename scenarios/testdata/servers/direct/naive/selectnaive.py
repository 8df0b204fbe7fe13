# Server for logging in, listing and sending as handed in: select, but no buffers.
#
# Usage: python3 selectnaive.py PORT
#
# What is wrong with it:
#   D-1   when a sendto fails it is answered nothing
#   D-2   names are compared in lower case; a name of exactly 20 characters is refused; white space is let in
#   D-2   a second login on one connection is let in and replaces the name
#   D-5   a text comes with one recv: what has not arrived yet is missing, and is taken for packets later
#   D-7   an unknown type is not answered
#   D-8   a reset is not caught: the server dies; also when a send fails
#   D-9   a packet in pieces: a name length that has not come yet makes recv wait, and everybody waits with it; a name
#         in pieces is torn
#   D-9   half of a text length kills the server (struct.error)
#   D-12  half a packet, or a client that has stopped reading, and everybody waits
#   D-13  a packet cut off by a close kills the server (IndexError, struct.error)
#   D-13  a name that is not UTF-8 kills the server
#
# Right: several clients at the same time, silent clients, several packets in one segment, logging out and in again.

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


def find(name):
    for sock in names:
        if names[sock].lower() == name.lower():
            return sock
    return None


def read_name(sock):
    length = sock.recv(1)[0]
    return sock.recv(length).decode()


while True:
    readable, _, _ = select.select(sockets, [], [])
    for sock in readable:
        if sock is server:
            client, address = server.accept()
            sockets.append(client)
            continue

        kind = sock.recv(1)
        if not kind:
            sockets.remove(sock)
            names.pop(sock, None)
            sock.close()

        elif kind == b"\x01":
            name = read_name(sock)
            if 0 < len(name) < 20 and find(name) is None:
                names[sock] = name
                sock.sendall(b"\x06\x00")
            else:
                sock.sendall(b"\x06\x01")

        elif kind == b"\x02":
            packet = b"\x05" + struct.pack("!H", len(names))
            for name in names.values():
                packet += struct.pack("!B", len(name.encode())) + name.encode()
            sock.sendall(packet)

        elif kind == b"\x03":
            name = read_name(sock)
            length = struct.unpack("!H", sock.recv(2))[0]
            text = sock.recv(length)
            receiver = find(name)
            if receiver is not None and sock in names:
                sender = names[sock].encode()
                receiver.sendall(b"\x07" + bytes([len(sender)]) + sender + struct.pack("!H", len(text)) + text)
                sock.sendall(b"\x06\x00")

        elif kind == b"\x04":
            if sock in names:
                del names[sock]
                sock.sendall(b"\x06\x00")
            else:
                sock.sendall(b"\x06\x01")
