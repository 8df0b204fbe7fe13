"""A child does the listening."""
import os, socket, sys, time

if os.fork() == 0:
    s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)
