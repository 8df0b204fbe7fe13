"""Leaves three processes that outlive it: a child; a grandchild in a session of its own; an orphan with nothing left.

Each has the output open and ignores every request to end. The program itself ends when asked to.
"""
import os, signal, socket, sys, time

def stay(name):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.write(1, f"{name} {os.getpid()}\n".encode())  # in one piece
    time.sleep(60)
    os._exit(0)

if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        stay("grandchild")
    stay("child")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setpgid(0, 0)
        if os.fork() == 0:
            os.setsid()
            stay("orphan")
        os._exit(0)
    os.wait()
    os._exit(0)
time.sleep(0.1)
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    s.accept()
