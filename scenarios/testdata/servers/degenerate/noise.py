"""Sends random bytes to everybody for ever, and more of them upon any input.

Usage: python3 noise.py PORT [SEED]

The pace is moderate: up to 64 bytes about every 20 ms to each client. With the same seed and the same order
of events the bytes are the same.
"""

import asyncio
import random
import signal
import sys

ENOUGH = 1 << 20    # nothing more is sent to a client that leaves this much unread


def noise(rng, writer):
    if writer.transport.get_write_buffer_size() < ENOUGH:
        writer.write(rng.randbytes(rng.randint(1, 64)))


async def babble(rng, writer):
    while not writer.is_closing():
        noise(rng, writer)
        await asyncio.sleep(0.02)


async def serve(rng, reader, writer):
    babbler = asyncio.create_task(babble(rng, writer))
    try:
        while await reader.read(65536):
            noise(rng, writer)
    except OSError:
        pass
    finally:
        babbler.cancel()
        writer.close()


async def main(port, seed):
    rng = random.Random(seed)
    server = await asyncio.start_server(lambda r, w: serve(rng, r, w), "127.0.0.1", port, reuse_address=True, backlog=256)
    print(f"noise on port {port}", flush=True)
    await server.serve_forever()


# Not a handler of our own: Python would run it only when the main thread wakes up.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.SIG_DFL)
asyncio.run(main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
