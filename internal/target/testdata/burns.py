"""Uses 0.1 s of a processor for each line that is typed: itself, in a child, or in one that has left it."""
import os, socket, sys, time

def burn():
    while time.process_time() < used + 0.1:
        pass

s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
for line in sys.stdin:
    used = time.process_time()
    if line == "self\n":
        burn()
        continue
    child = os.fork()
    if child == 0:
        used = 0  # its clock begins anew
        if line == "child\n":
            burn()
        elif os.fork() == 0:
            os.setsid()
            burn()
            time.sleep(60)
        os._exit(0)
    os.waitpid(child, 0)
time.sleep(60)
