"""Line chat server with asyncio that takes its time: every line is looked at 20 ms after it has come.

Usage: python3 asyncio_.py [PORT] [--delay SECONDS] [--crlf]

Without PORT a free one is taken; it is logged, to standard error. A line ends in LF; a CR before it does not belong to
it. With --crlf the lines of the server end in CR LF.

Decisions where the protocol leaves a choice:
  * who sends a line that is too long is thrown out; lines with NUL or invalid UTF-8 in them are ignored, the client stays
  * a line under another name is ignored
  * the first line has to be a good registration, everything else is answered 400
  * a second registration on one connection is answered 401 and ends it
"""

import argparse
import asyncio
import logging
import signal

MAX_LINE = 64 * 1024        # bytes, without the end
MAX_WAITING = 64 << 20      # bytes that may wait for one client
MAX_LINES = 1000            # lines of one client that may wait to be looked at

log = logging.getLogger("chat")


class Goodbye(Exception):
    """The connection is to be closed."""


class Chat:
    def __init__(self, delay, end):
        self.delay = delay
        self.end = end
        self.members = {}       # name -> Session
        self.sessions = {}      # task -> Session
        self.stopping = asyncio.Event()

    async def connected(self, reader, writer):
        task = asyncio.current_task()
        self.sessions[task] = Session(self, reader, writer)
        try:
            await self.sessions[task].run()
        except asyncio.CancelledError:
            pass  # the server stops
        finally:
            del self.sessions[task]

    async def serve(self, port):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stopping.set)
        server = await asyncio.start_server(self.connected, "127.0.0.1", port, backlog=256, limit=MAX_LINE + 2)
        log.info("waiting for clients at %s", server.sockets[0].getsockname())
        await self.stopping.wait()
        server.close()
        for member in list(self.members.values()):
            member.send(b"DISCONNECT CHAT/1.0")
            member.end()
        if self.sessions:
            await asyncio.wait(self.sessions, timeout=0.5)
        for session in self.sessions.values():
            session.writer.transport.abort()


class Session:
    def __init__(self, chat, reader, writer):
        self.chat = chat
        self.reader = reader
        self.writer = writer
        self.name = None

    async def run(self):
        lines = asyncio.Queue(MAX_LINES)
        reading = asyncio.create_task(self.read(lines))
        try:
            while True:
                due, line = await lines.get()
                await asyncio.sleep(due - asyncio.get_running_loop().time())
                if line is None:
                    break
                self.handle(line)
        except Goodbye:
            pass
        finally:
            self.leave()
            reading.cancel()
            await asyncio.wait([reading])
            await self.close()

    async def read(self, lines):
        """Notes when each line has come. None is the end."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                line = await self.reader.readuntil(b"\n")
                line = line[:-1].removesuffix(b"\r")
                if len(line) > MAX_LINE:
                    break
                await lines.put((loop.time() + self.chat.delay, line))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass
        await lines.put((loop.time() + self.chat.delay, None))

    def handle(self, line):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = "\0"
        if self.name is None:
            self.register(text)
        elif "\0" in text or self.chat.stopping.is_set():
            return
        elif text.startswith(f"@{self.name}: "):
            for member in list(self.chat.members.values()):
                if member is not self:
                    member.send(line)
        elif text == f"DISCONNECT {self.name} CHAT/1.0":
            raise Goodbye
        elif text.startswith("REGISTER "):
            self.send(b"401 You have registered before")
            raise Goodbye

    def register(self, text):
        match text.split(" "):
            case ["REGISTER", name, "CHAT/1.0"] if name.isprintable() and name:
                pass
            case _:
                self.send(b"400 That was no registration")
                raise Goodbye
        if name in self.chat.members or self.chat.stopping.is_set():
            self.send(b"401 Taken")
            raise Goodbye
        self.name = name
        self.chat.members[name] = self
        self.send(b"200 OK")

    def send(self, line):
        """Never waits; the transport keeps what the kernel does not take."""
        transport = self.writer.transport
        if transport.is_closing():
            return
        self.writer.write(line + self.chat.end)
        if transport.get_write_buffer_size() > MAX_WAITING:
            self.leave()
            transport.abort()

    def leave(self):
        if self.name is not None and self.chat.members.get(self.name) is self:
            del self.chat.members[self.name]

    def end(self):
        try:
            self.writer.write_eof()
        except OSError:
            pass

    async def close(self):
        """Reads on for a while: to close with input unread would take our last words away from the client."""
        self.end()
        try:
            async with asyncio.timeout(1):
                while await self.reader.read(65536):
                    pass
                await self.writer.drain()
        except (OSError, TimeoutError):
            self.writer.transport.abort()
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", nargs="?", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.02, metavar="SECONDS")
    parser.add_argument("--crlf", action="store_true", help="end the server's lines in CR LF")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    asyncio.run(run(args))


async def run(args):
    await Chat(args.delay, b"\r\n" if args.crlf else b"\n").serve(args.port)


if __name__ == "__main__":
    main()
