"""asyncio client for the chat room with the binary header: python3 tasks.py HOST PORT USER"""

import asyncio
import os
import signal
import sys
import threading
import unicodedata


def keyboard(loop, lines):
    """Runs in a thread of its own: asyncio cannot read files, and a terminal must not be made non-blocking."""
    rest = b""
    while chunk := os.read(0, 4096):
        *complete, rest = (rest + chunk).split(b"\n")
        for line in complete:
            loop.call_soon_threadsafe(lines.put_nowait, line)
    if rest:
        loop.call_soon_threadsafe(lines.put_nowait, rest)
    loop.call_soon_threadsafe(lines.put_nowait, None)


async def talk(lines, writer, name):
    while (line := await lines.get()) is not None:
        if line:
            send(writer, name, line)
            await writer.drain()


def send(writer, name, text):
    writer.write(len(name).to_bytes(2, "big") + len(text).to_bytes(4, "big") + name + text)


async def listen(reader):
    while True:
        header = await reader.readexactly(6)
        name = await reader.readexactly(int.from_bytes(header[:2], "big"))
        text = await reader.readexactly(int.from_bytes(header[2:], "big"))
        print(f"<{harmless(name)}> {harmless(text)}", flush=True)


def harmless(data):
    text = data.decode(errors="replace")
    return "".join(repr(c)[1:-1] if unicodedata.category(c) == "Cc" else c for c in text)


async def main(host, port, name):
    try:
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
    except (OSError, ValueError, OverflowError) as e:
        print(f"Could not reach {host}:{port} ({e}).")
        return 1
    send(writer, name, b"")

    loop, lines = asyncio.get_running_loop(), asyncio.Queue()
    threading.Thread(target=keyboard, args=(loop, lines), daemon=True).start()
    stopped = asyncio.Event()
    for number in signal.SIGINT, signal.SIGTERM:
        loop.add_signal_handler(number, stopped.set)

    talking = asyncio.create_task(talk(lines, writer, name))
    listening = asyncio.create_task(listen(reader))
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait([talking, listening, stopping], return_when=asyncio.FIRST_COMPLETED)
    if stopping.done():
        writer.close()
        return 0
    if talking.done() and not talking.exception():
        if writer.can_write_eof():
            writer.write_eof()
        await asyncio.wait([listening], timeout=1)
        listening.done() and listening.exception()
        writer.transport.abort() if not listening.done() else writer.close()
        return 0
    problem = listening.exception() if listening.done() else talking.exception()
    if isinstance(problem, asyncio.IncompleteReadError):
        print("The server is gone." if not problem.partial else "The server went away in the middle of a message.")
    else:
        print(f"The connection broke: {problem}")
    writer.transport.abort()
    return 1


if len(sys.argv) != 4:
    sys.exit("usage: python3 tasks.py HOST PORT USER")
sys.stdout.reconfigure(encoding="utf-8", errors="replace")
sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2], os.fsencode(sys.argv[3]))))
