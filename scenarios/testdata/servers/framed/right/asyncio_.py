"""Chat server with asyncio that can be slow, write a byte at a time, and send several frames together.

Usage: python3 asyncio_.py PORT [--roster SECONDS] [--delay SECONDS] [--bytewise] [--gather SECONDS]

    --delay     everything takes that long to come here, and that long to go away
    --bytewise  the first bytes of whatever is sent go out one by one, each in a segment of its own
    --gather    what is to be sent waits that long for more

A frame is two lengths, big-endian, of 2 and 4 bytes, then a name and a text. The first one of a client logs it in.
Whoever sends a name that is in use, or none, is disconnected; so is whoever announces more than a megabyte. A frame
under another name is ignored. Notices come from "chat". Nobody hears itself.
"""

import argparse
import asyncio
import signal
import socket

MOST = 1 << 20              # bytes of a text
PENDING = 64 << 20          # bytes that may wait for a client
SINGLE = 12                 # how many bytes go out one by one


class Room:
    def __init__(self, options):
        self.options = options
        self.members = {}   # name -> Member

    async def connected(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        member = Member(self, writer)
        incoming = asyncio.Queue(maxsize=1000)
        tasks = [asyncio.create_task(member.send()), asyncio.create_task(self.listen(member, incoming))]
        try:
            while True:
                await incoming.put((asyncio.get_running_loop().time(), await read_frame(reader)))
        except (asyncio.IncompleteReadError, OSError, ValueError):
            await incoming.put((asyncio.get_running_loop().time(), None))
        await tasks[1]
        tasks[0].cancel()
        writer.transport.abort()

    async def listen(self, member, incoming):
        """Handles what has come, when it is due, until the end or a frame that is not accepted."""
        loop = asyncio.get_running_loop()
        alive = True
        while True:
            came, frame = await incoming.get()
            if frame is None:
                break
            if not alive:
                continue
            await asyncio.sleep(came + self.options.delay - loop.time())
            if not (alive := self.handle(member, *frame)):
                self.leave(member)
                member.writer.transport.abort()
        self.leave(member)

    def handle(self, member, name, text):
        """Says whether the client may stay."""
        if member.name is None:
            if not name or name in self.members:
                return False
            member.name = name
            self.members[name] = member
            self.tell_others(member, b"chat", name + b" has joined")
            if not text:
                return True
        if name == member.name:
            self.tell_others(member, name, text)
        return True

    def leave(self, member):
        if self.members.get(member.name) is member:
            del self.members[member.name]
            self.tell_others(member, b"chat", member.name + b" has left")

    def tell_others(self, member, name, text):
        frame = len(name).to_bytes(2, "big") + len(text).to_bytes(4, "big") + name + text
        for other in self.members.values():
            if other is not member:
                other.put(frame)

    async def list_users(self):
        while True:
            await asyncio.sleep(self.options.roster)
            print("users:", ", ".join(name.decode("utf-8", "replace") for name in self.members), flush=True)


class Member:
    def __init__(self, room, writer):
        self.options = room.options
        self.writer = writer
        self.name = None
        self.waiting = []   # of (time, frame)
        self.more = asyncio.Event()
        self.size = 0

    def put(self, frame):
        self.waiting.append((asyncio.get_running_loop().time(), frame))
        self.size += len(frame)
        self.more.set()
        if self.size > PENDING:
            self.writer.transport.abort()

    async def send(self):
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self.more.wait()
                pause = self.waiting[0][0] + self.options.delay - loop.time()
                await asyncio.sleep(max(pause, self.options.gather))
                due = [frame for when, frame in self.waiting if when + self.options.delay <= loop.time()]
                del self.waiting[:len(due)]
                if not self.waiting:
                    self.more.clear()
                data = b"".join(due)
                for i in range(SINGLE if self.options.bytewise else 0):
                    self.writer.write(data[i:i + 1])
                    await self.writer.drain()
                    await asyncio.sleep(0)
                self.writer.write(data[SINGLE:] if self.options.bytewise else data)
                await self.writer.drain()
                self.size -= len(data)
        except OSError:
            pass


async def read_frame(reader):
    name_length = int.from_bytes(await reader.readexactly(2), "big")
    text_length = int.from_bytes(await reader.readexactly(4), "big")
    if text_length > MOST:
        raise ValueError("too long")
    return await reader.readexactly(name_length), await reader.readexactly(text_length)


async def serve(options):
    room = Room(options)
    server = await asyncio.start_server(room.connected, "127.0.0.1", options.port, backlog=256)
    print(f"chat server on port {options.port}", flush=True)
    listing = asyncio.create_task(room.list_users())
    await server.serve_forever()
    await listing


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--roster", type=float, default=1, metavar="SECONDS")
    parser.add_argument("--delay", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--bytewise", action="store_true")
    parser.add_argument("--gather", type=float, default=0, metavar="SECONDS")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(serve(parser.parse_args()))
