# Line chat server as handed in: a thread per client, recv(1024).
#
# Usage: python3 recv1024.py [PORT]
#
# What is wrong with it:
#   L-5   a character on both sides of a border of 1024 bytes kills its client's thread
#   L-8   SIGTERM ends the server without a word
#   L-9   ... REGISTER is split at any white space, so too much of it is accepted
#   L-10  what one recv returns is taken for one line: a registration in pieces, or with a message in the same segment,
#         is malformed; a DISCONNECT in pieces is relayed; what comes with a DISCONNECT is lost. Messages are passed on as
#         they come, so their pieces are all right unless two clients' pieces meet, and several in a segment are, too
#   L-12  what comes is relayed whatever stands in front of it
#   L-13  a line may have any length; NUL is relayed; invalid UTF-8 kills the client's thread, and its name stays; DISCONNECT
#         anywhere in a text is obeyed
#   L-14  a reset is not caught: the thread dies, the name stays in the table, and the next message kills the thread of
#         its sender, too
#   L-15  a client that stops reading blocks everybody who sends
#         no lock: the table can change while somebody goes through it

import os
import signal
import socket
import sys
import threading

clients = {}


def broadcast(message, sender):
    for name in clients:
        if name != sender:
            clients[name].send(message.encode())


def handle_client(conn):
    parts = conn.recv(1024).decode().split()
    if len(parts) != 3 or parts[0] != "REGISTER" or parts[2] != "CHAT/1.0":
        conn.send(b"400 Invalid registration\n")
        conn.close()
        return
    username = parts[1]
    if username in clients:
        conn.send(b"401 Client already registered\n")
        conn.close()
        return
    conn.send(b"200 Registration successful\n")
    clients[username] = conn
    print(username, "connected", flush=True)

    while True:
        message = conn.recv(1024).decode()
        if not message or "DISCONNECT" in message:
            break
        broadcast(message, username)
    del clients[username]
    conn.close()
    print(username, "disconnected", flush=True)


def shutdown(signum, frame):
    print("Shutting down", flush=True)
    for name in clients:
        clients[name].send(b"DISCONNECT CHAT/1.0\n")
    os._exit(0)


signal.signal(signal.SIGINT, shutdown)

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0))
server.listen(5)
print("Will wait for client connections at port", server.getsockname()[1], flush=True)

while True:
    conn, addr = server.accept()
    threading.Thread(target=handle_client, args=(conn,), daemon=True).start()
