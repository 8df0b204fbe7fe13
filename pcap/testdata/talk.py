"""The conversation that the captures in this folder show. See README.md."""

import socket
import struct
import threading

PORT = 4445


def serve(family, host):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, PORT))
    s.listen()
    while True:
        c, _ = s.accept()
        try:
            while data := c.recv(65536):
                c.sendall(data.upper())
        except ConnectionError:
            pass
        c.close()


def serve_datagrams():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", PORT))
    while True:
        data, who = s.recvfrom(65536)
        s.sendto(data.upper(), who)


def talk(family, host, port, says, reset=False):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.bind((host, port))
    s.connect((host, PORT))
    for text in says:
        s.sendall(text)
        answer = b""
        while len(answer) < len(text):
            answer += s.recv(65536)
    if reset:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        s.shutdown(socket.SHUT_WR)
        s.recv(1)
    s.close()


def lines(who, n):
    return [f"{who} says line {i}\n".encode() for i in range(n)]


threading.Thread(target=serve, args=(socket.AF_INET, "127.0.0.1"), daemon=True).start()
threading.Thread(target=serve, args=(socket.AF_INET6, "::1"), daemon=True).start()
threading.Thread(target=serve_datagrams, daemon=True).start()
threading.Event().wait(0.3)

talk(socket.AF_INET, "127.0.0.1", 50001, lines("alice", 5))
talk(socket.AF_INET6, "::1", 50002, lines("bob", 5))
talk(socket.AF_INET, "127.0.0.1", 50003, lines("carol", 2) + [b"0123456789abcdef" * 300], reset=True)

u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("127.0.0.1", 50004))
u.connect(("127.0.0.1", PORT))
for text in (b"dave was here", b"0123456789abcdef" * 200):
    u.send(text)
    u.recv(65536)
