"""Ends with a traceback before it listens."""
print("starting up")
sock = None
sock.bind(("", 4445))
