"""Prints the port given, and listens nowhere."""
import sys, time

print("listening on port", sys.argv[1])
time.sleep(60)
