"""Accepts everybody, reads everything, never answers.

Usage: python3 silent.py PORT
"""

import asyncio
import signal
import sys


async def serve(reader, writer):
    try:
        while await reader.read(65536):
            pass
    except OSError:
        pass
    finally:
        writer.close()


async def main(port):
    server = await asyncio.start_server(serve, "127.0.0.1", port, reuse_address=True, backlog=256)
    print(f"silent on port {port}", flush=True)
    await server.serve_forever()


# Not a handler of our own: Python would run it only when the main thread wakes up.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.SIG_DFL)
asyncio.run(main(int(sys.argv[1])))
