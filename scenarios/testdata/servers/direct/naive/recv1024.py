# Server for logging in, listing and sending as handed in: a thread per client, recv(1024).
#
# Usage: python3 recv1024.py PORT
#
# What is wrong with it:
#   D-2   the server checks no name but whether it is in use: empty, long and blank ones are let in; a second login
#         adds a second name
#   D-4   a sendto of somebody who is not logged in is delivered under an empty name
#   D-5   a text that does not fit into 1024 bytes with its header is cut, and its rest is taken for packets
#   D-6   a logout when not logged in kills the thread of the client (a KeyError)
#   D-7   a packet of an unknown type is not answered
#   D-8   a reset is not caught: the thread dies, the name stays, and the next sendto to it kills the thread of the
#         sender
#   D-8   after a second login the first name stays for ever
#   D-9   what one recv returns is taken for one packet: pieces, several packets in a segment
#   D-12  sendall waits for a client that has stopped reading, and with it whoever sends to it
#   D-13  a packet that is too short kills the thread of its client, which is not logged out
#         no lock: the table can change while somebody goes through it
#
# Right: several clients at the same time, silent clients, the list, unknown users, logging in again.

import signal
import socket
import struct
import sys
import threading

signal.signal(signal.SIGINT, signal.SIG_DFL)

users = {}


def response(conn, code):
    conn.sendall(struct.pack("!BB", 6, code))


def handle_client(conn):
    username = b""
    while True:
        data = conn.recv(1024)
        if not data:
            break
        command = data[0]
        if command == 1:
            length = data[1]
            name = data[2:2 + length]
            if name in users:
                response(conn, 1)
            else:
                username = name
                users[username] = conn
                response(conn, 0)
        elif command == 2:
            packet = struct.pack("!BH", 5, len(users))
            for name in users:
                packet += struct.pack("!B", len(name)) + name
            conn.sendall(packet)
        elif command == 3:
            length = data[1]
            to = data[2:2 + length]
            (text_length,) = struct.unpack("!H", data[2 + length:4 + length])
            text = data[4 + length:4 + length + text_length]
            if to in users:
                users[to].sendall(struct.pack("!BB", 7, len(username)) + username + struct.pack("!H", len(text)) + text)
                response(conn, 0)
            else:
                response(conn, 1)
        elif command == 4:
            del users[username]
            username = b""
            response(conn, 0)
    if username in users:
        del users[username]
    conn.close()


s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(5)
print("Server started on port", sys.argv[1], flush=True)

while True:
    conn, addr = s.accept()
    threading.Thread(target=handle_client, args=(conn,), daemon=True).start()
