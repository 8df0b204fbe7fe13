"""Listens and prints, when somebody has connected: output.py PORT HOW"""
import os, socket, sys

s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
how = sys.argv[2]
print("terminal" if os.isatty(1) else "pipe", "and" , "terminal" if os.isatty(2) else "pipe", os.environ.get("TERM"), flush=True)
c, addr = s.accept()
if how == "bytes":
    data = bytes(range(256)) + b"a\nb\r\nc\rd\te\x1b[0m\n"
    os.write(1, data)
elif how == "turns":
    for i in range(200):
        os.write(1, b"out %d\n" % i)
        os.write(2, b"err %d\n" % i)
elif how == "floods":
    for i in range(100):
        sys.stdout.write("x" * 999_999 + "\n")
    sys.stdout.write("last line\n")
    sys.stdout.flush()
elif how == "ends":
    sys.stdout.write("y" * 200_000 + "\nlast words\n")
    sys.stdout.flush()
    os._exit(7)
elif how == "says":
    sys.stdout.write("last words\n")
    sys.stdout.flush()
    os._exit(7)
s.accept()
