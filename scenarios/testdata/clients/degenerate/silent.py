"""Prints nothing, connects to nothing, reads nothing, and stays. Any arguments."""

import signal
import time

signal.signal(signal.SIGINT, signal.SIG_DFL)
while True:
    time.sleep(60)
