"""Ignores every request to end."""
import signal, socket, sys, time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    time.sleep(60)
