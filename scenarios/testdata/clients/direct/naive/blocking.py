# Chatroom client as handed in: a command, its answer, the next command.
#
# Usage: python3 blocking.py HOST PORT
#
# What is wrong with it:
#   D-11  after a command it takes the next packet for the answer, whatever it is; messages of others are shown only
#         then, and from the first one on every answer comes one command late
#   D-11  does not notice that the server has closed until the next command, and dies then (struct.error)
#   D-10  login and sendto do not look how long a name is; one of more than 255 bytes is a traceback
#   D-10  text of more than 65535 bytes is a traceback
#   D-10  a wrong number of parameters is Invalid command everywhere
#   -     tracebacks when there is no server and at an interrupt; names and texts that are not UTF-8 are fatal
#
# Right: reads exactly as many bytes as there must be, so pieces and several packets at once are no problem; lengths in
# bytes; ends properly at the end of the input.

import socket
import struct
import sys

sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
stream = sock.makefile("rwb")


def string(fmt):
    size, = struct.unpack(fmt, stream.read(struct.calcsize(fmt)))
    return stream.read(size).decode()


def answer():
    kind, = struct.unpack("B", stream.read(1))
    if kind == 5:
        count, = struct.unpack("!H", stream.read(2))
        print("Users:", [string("B") for _ in range(count)], flush=True)
    elif kind == 6:
        result, = struct.unpack("B", stream.read(1))
        print("Success" if result == 0 else "Failure", flush=True)
    elif kind == 7:
        user = string("B")
        print(f"{user}: {string('!H')}", flush=True)


for line in sys.stdin:
    args = line.rstrip("\n").split(" ", 2)
    if args[0] == "login" and len(args) == 2:
        name = args[1].encode()
        stream.write(struct.pack("BB", 1, len(name)) + name)
    elif args[0] == "list" and len(args) == 1:
        stream.write(b"\x02")
    elif args[0] == "sendto" and len(args) == 3:
        name, text = args[1].encode(), args[2].encode()
        stream.write(struct.pack("BB", 3, len(name)) + name + struct.pack("!H", len(text)) + text)
    elif args[0] == "logout" and len(args) == 1:
        stream.write(b"\x04")
    elif args[0] == "exit" and len(args) == 1:
        break
    else:
        print("Invalid command", flush=True)
        continue
    stream.flush()
    answer()
sock.close()
