"""Serves a client until it leaves, and then does what is asked: spins.py PORT HOW

reads    reads on from the closed connection, in a thread
threads  three threads calculate
loop     one loop for all waits for a connection that has ended
child    a child calculates
works    is busy for 50 ms
wakes    wakes up every 5 ms
sleeps   does nothing
"""
import os, select, socket, sys, threading, time

s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
how = sys.argv[2]


def calculate():
    while True:
        pass


def serve(c):
    while c.recv(100):
        pass
    print("left", flush=True)
    if how == "reads":
        while True:
            c.recv(100)
    elif how == "threads":
        for i in range(3):
            threading.Thread(target=calculate, daemon=True).start()
    elif how == "child":
        if os.fork() == 0:
            calculate()
    elif how == "works":
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
    elif how == "wakes":
        while True:
            time.sleep(0.005)


if how == "loop":
    waiting, left = [s], False
    while True:
        for ready in select.select(waiting, [], [])[0]:
            if ready is s:
                waiting.append(s.accept()[0])
            elif not ready.recv(100) and not left:
                left = True
                print("left", flush=True)
while True:
    threading.Thread(target=serve, args=[s.accept()[0]], daemon=True).start()
