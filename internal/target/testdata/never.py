"""Prints, with a colour, and never listens."""
import time

print("\x1b[31mwaiting\x1b[0m for better times")
time.sleep(60)
