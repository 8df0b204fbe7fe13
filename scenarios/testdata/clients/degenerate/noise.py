"""Prints random bytes and sends random bytes, some fifty times a second, for ever, whatever happens. [--udp] and the
arguments of any client. Always the same bytes."""

import os
import random
import sys
import time

sys.dont_write_bytecode = True
from address import connect

sock = connect()
noise = random.Random(1)
while True:
    os.write(1, noise.randbytes(noise.randrange(1, 64)))
    try:
        sock.send(noise.randbytes(noise.randrange(1, 64)))
    except OSError:
        pass
    time.sleep(0.02)
