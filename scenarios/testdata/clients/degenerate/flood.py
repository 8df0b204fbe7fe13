"""Fills the screen and the connection as fast as it can, and reads nothing. [--udp] and the arguments of any client."""

import os
import sys
import threading

sys.dont_write_bytecode = True
from address import connect


def fill_connection(sock):
    while True:
        try:
            sock.send(b"flood " * 1000)
        except ConnectionRefusedError:
            pass        # UDP: nobody there, for now
        except OSError:
            return


sock = connect()
threading.Thread(target=fill_connection, args=(sock,), daemon=True).start()
while True:
    os.write(1, b"flood " * 1000 + b"\n")
