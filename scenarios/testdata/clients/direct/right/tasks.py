"""Direct messages, asyncio client: python3 tasks.py HOST PORT"""

import asyncio
import os
import re
import signal
import sys
import threading


class Problem(Exception):
    """The line is wrong; its text is what the user is told."""


def login(args):
    if not re.fullmatch(r"\S{1,20}", args):
        raise Problem("Bad username")
    return b"\x01" + counted(args.encode(), 1)


def sendto(args):
    match = re.fullmatch(r"(\S{1,20}) (.+)", args, re.DOTALL)
    if not match:
        raise Problem("Bad username")
    text = match[2].encode()
    if len(match[2]) > 65535 or len(text) > 65535:
        raise Problem("Bad message")
    return b"\x03" + counted(match[1].encode(), 1) + counted(text, 2)


def bare(data):
    def build(args):
        if args:
            raise Problem("Invalid command")
        return data
    return build


COMMANDS = {"login": login, "sendto": sendto, "list": bare(b"\x02"), "logout": bare(b"\x04"), "exit": bare(b"")}


def counted(data, size):
    return len(data).to_bytes(size, "big") + data


class Session:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.waiting = 0                    # answers that have not come yet
        self.idle = asyncio.Event()
        self.idle.set()

    async def commands(self, lines):
        while (line := await lines.get()) is not None:
            name, _, args = line.partition(" ")
            try:
                data = COMMANDS.get(name, unknown)(args)
            except Problem as p:
                print(p, flush=True)
                continue
            if data == b"":
                break
            self.waiting += 1
            self.idle.clear()
            self.writer.write(data)
            await self.writer.drain()
        try:
            await asyncio.wait_for(self.idle.wait(), 1)
        except asyncio.TimeoutError:
            pass

    async def packets(self):
        while True:
            kind = (await self.reader.readexactly(1))[0]
            if kind == 5:
                count = int.from_bytes(await self.reader.readexactly(2), "big")
                users = [await self.text(1) for _ in range(count)]
                print("Logged in:", " ".join(users) or "nobody", flush=True)
            elif kind == 6:
                result = (await self.reader.readexactly(1))[0]
                print(("Success", "Failure", "Malformed packet: this client has a bug")[min(result, 2)], flush=True)
            elif kind == 7:
                print(await self.text(1) + ": " + await self.text(2), flush=True)
                continue
            else:
                raise OSError(f"a packet of type {kind}")
            self.waiting -= 1
            if not self.waiting:
                self.idle.set()

    async def text(self, size):
        length = int.from_bytes(await self.reader.readexactly(size), "big")
        text = (await self.reader.readexactly(length)).decode("utf-8", "backslashreplace")
        return re.sub("[\0-\x1f\x7f-\x9f]", lambda m: "\\u{%x}" % ord(m[0]), text)


def unknown(args):
    raise Problem("Invalid command")


def read_keyboard(loop, lines):
    rest = b""
    while True:
        chunk = os.read(0, 8192)
        *complete, rest = (rest + chunk).split(b"\n")
        if not chunk and rest:
            complete.append(rest)
        for line in complete:
            loop.call_soon_threadsafe(lines.put_nowait, line.decode("utf-8", "replace"))
        if not chunk:
            loop.call_soon_threadsafe(lines.put_nowait, None)
            return


async def main(host, port):
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except (OSError, OverflowError) as e:
        print(f"cannot connect to {host}:{port}: {e}")
        return 1
    loop, lines, session = asyncio.get_running_loop(), asyncio.Queue(), Session(reader, writer)
    threading.Thread(target=read_keyboard, args=(loop, lines), daemon=True).start()
    commands, packets = asyncio.ensure_future(session.commands(lines)), asyncio.ensure_future(session.packets())
    for number in signal.SIGINT, signal.SIGTERM:
        loop.add_signal_handler(number, commands.cancel)
    await asyncio.wait([commands, packets], return_when=asyncio.FIRST_COMPLETED)
    failed = packets.exception() if packets.done() else not commands.cancelled() and commands.exception()
    writer.transport.abort() if failed else writer.close()
    if not failed:
        return 0
    print("the server has closed the connection" if isinstance(failed, EOFError) else f"connection lost: {failed}")
    return 1


if len(sys.argv) != 3 or not sys.argv[2].isdigit():
    sys.exit(__doc__)
sys.stdout.reconfigure(encoding="utf-8", errors="replace")
sys.exit(asyncio.run(main(sys.argv[1], int(sys.argv[2]))))
