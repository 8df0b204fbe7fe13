"""Says goodbye when it is asked to end."""
import signal, socket, sys, time

def end(number, frame):
    print("goodbye", number)
    sys.exit(3)

signal.signal(signal.SIGTERM, end)
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    time.sleep(60)
