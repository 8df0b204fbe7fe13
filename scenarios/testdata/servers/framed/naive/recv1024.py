# Chat server as handed in: a thread per client, recv(1024).
#
# Usage: python3 recv1024.py PORT
#
# What is wrong with it:
#   F-1   the login is read in the accept loop: a silent client blocks all newcomers
#   F-2   lengths are counted in characters, not bytes
#   F-3   a text that does not fit into 1024 bytes is cut, its rest is taken for a header
#   F-5   a reset is not caught: the thread dies, nobody is told
#   F-7   ... and the name stays in the table; the next message to it kills the thread of its sender
#   F-9   what one recv returns is taken for one frame: pieces, two frames in one segment, login with message in
#         one segment
#   F-10  any length is accepted (it is hardly looked at)
#   F-11  a login of less than 6 bytes, or one that is not UTF-8, kills the server; such a message kills the
#         client's thread
#   F-12  a message is relayed under the name in its frame
#   F-13  a second client of a name overwrites the first one
#   F-14  a client that stops reading blocks everybody who sends
#         no lock: the table can change while somebody goes through it

import signal
import socket
import struct
import sys
import threading
import time

signal.signal(signal.SIGINT, signal.SIG_DFL)

clients = {}


def broadcast(username, message, sender):
    data = struct.pack("!HI", len(username), len(message)) + username.encode() + message.encode()
    for name in clients:
        if clients[name] != sender:
            clients[name].send(data)


def parse(data):
    username_len, message_len = struct.unpack("!HI", data[:6])
    username = data[6:6 + username_len].decode()
    message = data[6 + username_len:6 + username_len + message_len].decode()
    return username, message


def handle_client(conn, username):
    while True:
        data = conn.recv(1024)
        if not data:
            break
        name, message = parse(data)
        broadcast(name, message, conn)
    conn.close()
    del clients[username]
    broadcast("Server", username + " has left the chat", conn)


def print_users():
    while True:
        time.sleep(5)
        print("Users online:", list(clients), flush=True)


s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(5)
print("Server started on port", sys.argv[1], flush=True)
threading.Thread(target=print_users, daemon=True).start()

while True:
    conn, addr = s.accept()
    username, message = parse(conn.recv(1024))
    clients[username] = conn
    broadcast("Server", username + " has joined the chat", conn)
    if message:
        broadcast(username, message, conn)
    threading.Thread(target=handle_client, args=(conn, username), daemon=True).start()
