"""Starts what listens in a thread, which may die without a trace of it in the exit status."""
import socket, sys, threading, time

def serve():
    s = socket.socket()
    s.bind(("127.0.0.1", int(sys.argv[1])))
    s.listen()
    time.sleep(60)

threading.Thread(target=serve).start()
time.sleep(60)
