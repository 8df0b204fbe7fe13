"""A chat client with asyncio.

usage: tasks.py USER chat://HOST:PORT
"""
import asyncio, os, signal, sys, threading, urllib.parse

HIDE = str.maketrans({i: chr(0x2400 + i) for i in range(32)} | {127: "\u2421"} | {i: "\ufffd" for i in range(128, 160)})


class Over(Exception):
    """The conversation has ended: why, and the exit status."""


async def from_server(reader):
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as e:
            if e.partial:
                display(e.partial)
            raise Over("The server closed the connection.", 1)
        line = line[:-2] if line.endswith(b"\r\n") else line[:-1]
        if line == b"DISCONNECT CHAT/1.0":
            raise Over("The server has shut down.", 0)
        display(line)
        if line[:3] in (b"400", b"401"):
            raise Over("The server does not let us in.", 2)


def display(line):
    print(line.decode("utf-8", "replace").translate(HIDE), flush=True)


async def from_user(queue, user, writer):
    while (text := await queue.get()) is not None:
        writer.write(b"@" + user + b": " + text + b"\n")
        await writer.drain()


def read_stdin(put):
    """A thread, because epoll knows neither files nor how to leave a terminal in blocking mode."""
    for line in iter(LineReader(), None):
        put(line)
    put(None)


class LineReader:
    """Without a buffer of Python's own, whose lock would be held while the program ends."""

    def __init__(self):
        self.lines, self.rest, self.ended = [], b"", False

    def __call__(self):
        while not self.lines and not self.ended:
            data = os.read(0, 65536)
            self.ended = not data
            *self.lines, self.rest = (self.rest + data).split(b"\n")
            if self.ended and self.rest:
                self.lines.append(self.rest)
        return self.lines.pop(0) if self.lines else None


async def main(user, host, port):
    try:
        reader, writer = await asyncio.open_connection(host, port, limit=1 << 22)
    except OSError as e:
        raise Over(f"Cannot connect to {host} port {port}: {e}", 1)
    writer.write(b"REGISTER " + user + b" CHAT/1.0\n")

    loop, queue, stop = asyncio.get_running_loop(), asyncio.Queue(), asyncio.Event()
    for s in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(s, stop.set)
    put = lambda line: loop.call_soon_threadsafe(queue.put_nowait, line)
    threading.Thread(target=read_stdin, args=(put,), daemon=True).start()

    tasks = [asyncio.create_task(t) for t in (from_server(reader), from_user(queue, user, writer), stop.wait())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    server, typing, stopping = tasks
    if server.done():
        writer.transport.abort()
        server.result()
    if typing.done():
        typing.result()
    writer.write(b"DISCONNECT " + user + b" CHAT/1.0\n")
    writer.write_eof()
    done, _ = await asyncio.wait([server], timeout=0.1 if stopping.done() else 1)
    status = 0
    if done and isinstance(server.exception(), Over) and server.exception().args[1] == 2:
        status = 2
    writer.transport.abort() if not done else writer.close()
    raise Over("", status)


def parse(argv):
    _, user, address = argv
    url = urllib.parse.urlparse(address)
    if url.scheme != "chat" or not url.hostname or url.port is None:
        raise ValueError(address)
    return user.encode("utf-8", "surrogateescape"), url.hostname, url.port


sys.stdout.reconfigure(encoding="utf-8", errors="replace")
try:
    arguments = parse(sys.argv)
except ValueError as e:
    sys.exit(f"wrong address or arguments ({e})\n" + __doc__.strip().splitlines()[-1])
try:
    asyncio.run(main(*arguments))
except Over as over:
    if over.args[0]:
        print(over.args[0])
    sys.exit(over.args[1])
except OSError as e:
    sys.exit(f"Connection lost: {e}")
