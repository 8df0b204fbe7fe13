"""Server for logging in, listing, sending to one user and logging out: asyncio, and slow.

Usage: python3 asyncio_.py PORT [--delay SECONDS]

Every packet is handled 20 ms (or that long) after it has come, as if the server were far away. Packets that come together wait
together.

Decisions where the assignment says nothing:
  * after a malformed packet the connection is closed
  * the newest user stands first in a list
  * who sends to himself gets the answer first, and then his text
"""

import argparse
import asyncio
import signal

MAX_PENDING = 64 << 20      # bytes


class Session:
    everybody = {}          # name -> Session
    delay = 0.020           # seconds

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.name = None

    async def run(self):
        requests = asyncio.Queue(maxsize=1000)
        answering = asyncio.create_task(self.answer(requests))
        try:
            while await self.receive(requests):
                pass
        except (asyncio.IncompleteReadError, OSError):
            pass
        await requests.put((0, None, ()))
        await answering
        self.logout()
        await self.close()

    async def receive(self, requests):
        """Reads one packet. Tells whether there can be another one."""
        kind = (await self.reader.readexactly(1))[0]
        handler, fields = self.malformed, ()
        if kind == 1:
            handler, fields = self.login, (await self.field(1),)
        elif kind == 2:
            handler = self.list
        elif kind == 3:
            handler, fields = self.sendto, (await self.field(1), await self.field(2))
        elif kind == 4:
            handler = self.logout
        due = asyncio.get_running_loop().time() + self.delay
        await requests.put((due, handler, fields))
        return handler != self.malformed

    async def field(self, size):
        length = int.from_bytes(await self.reader.readexactly(size), "big")
        return await self.reader.readexactly(length)

    async def answer(self, requests):
        loop = asyncio.get_running_loop()
        while True:
            due, handler, fields = await requests.get()
            if handler is None:
                return
            await asyncio.sleep(due - loop.time())
            # A handler never waits, so nobody else changes anything meanwhile.
            result = handler(*fields)
            if isinstance(result, bool):
                result = b"\x06" + (b"\x00" if result else b"\x01")
            if result is not None:
                self.write(result)

    def write(self, packet):
        if self.writer.is_closing():
            return
        self.writer.write(packet)
        if self.writer.transport.get_write_buffer_size() > MAX_PENDING:
            self.writer.transport.abort()

    async def close(self):
        try:
            if self.writer.can_write_eof():
                self.writer.write_eof()
            # What it has sent after a malformed packet is read, so that no reset overtakes the answer.
            async with asyncio.timeout(2):
                while await self.reader.read(1 << 16):
                    pass
        except (OSError, TimeoutError):
            pass
        self.writer.transport.abort()

    # ---- a packet each: True for ok, False for failure, bytes for anything else

    def login(self, name):
        if self.name is not None or name in self.everybody:
            return False
        try:
            characters = name.decode()
        except UnicodeDecodeError:
            return False
        if not characters or len(characters) > 20 or any(c.isspace() for c in characters):
            return False
        self.name = name
        self.everybody[name] = self
        return True

    def list(self):
        names = list(reversed(self.everybody))
        return b"\x05" + len(names).to_bytes(2, "big") + b"".join(bytes([len(n)]) + n for n in names)

    def sendto(self, destination, text):
        receiver = self.everybody.get(destination)
        if self.name is None or receiver is None:
            return False
        packet = b"\x07" + bytes([len(self.name)]) + self.name + len(text).to_bytes(2, "big") + text
        if receiver is not self:
            receiver.write(packet)
            return True
        return b"\x06\x00" + packet

    def logout(self):
        if self.name is None:
            return False
        del self.everybody[self.name]
        self.name = None
        return True

    def malformed(self):
        return b"\x06\x02"


async def serve(port):
    sessions = set()

    async def connected(reader, writer):
        sessions.add(session := asyncio.current_task())
        session.add_done_callback(sessions.discard)
        await Session(reader, writer).run()

    server = await asyncio.start_server(connected, "127.0.0.1", port, backlog=256)
    print(f"serving on {server.sockets[0].getsockname()}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--delay", type=float, default=Session.delay, metavar="SECONDS")
    args = parser.parse_args()
    Session.delay = args.delay
    asyncio.run(serve(args.port))
