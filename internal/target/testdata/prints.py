"""Listens on a port of its own, and prints one: prints.py HOW"""
import os, socket, sys, threading, time

if sys.argv[1] == "buffers" and "PYTHONUNBUFFERED" in os.environ:
    del os.environ["PYTHONUNBUFFERED"]  # as C does: at once on a terminal, and late on a pipe
    os.execv(sys.executable, [sys.executable] + sys.argv)

first, second = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
closed = socket.create_server(("127.0.0.1", 0))
port, other, nowhere = [s.getsockname()[1] for s in (first, second, closed)]
closed.close()


def pieces():
    for digit in str(port):
        sys.stdout.write(digit)
        sys.stdout.flush()
        time.sleep(0.03)
    print()


def forever():
    while True:
        time.sleep(60)


def say(*words, to=sys.stdout):
    print(*words, "other", other, file=to)


how = sys.argv[1]
if how == "stdout":
    say("listening on port", port)
elif how == "stderr":
    say("listening on port", port, to=sys.stderr)
elif how == "late":
    time.sleep(0.4)
    say("listening on port", port)
elif how == "pieces":
    sys.stdout.write("other %d port " % other)
    pieces()
elif how == "coloured":
    say("listening on port \x1b[33m%d\x1b[39m" % port)
elif how == "buffers":
    say("listening on port", port)
elif how == "tells":
    told = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    say("listening on port", port)
elif how == "elsewhere":
    print("listening on port", nowhere)
elif how == "word":
    print("listening on port seven")
elif how == "large":
    print("listening on port 70000")
elif how == "nothing":
    print("ready")
forever()
