"""A client program that does on its terminal, or pipes, what its first argument says."""
import os, signal, subprocess, sys, threading, time

def lines():
    print("ready")
    for line in sys.stdin:
        print("read", line.rstrip("\n"))
    print("end of input")

def arguments():
    print(sys.argv[2:], os.environ["HOST"], os.environ["PORT"], os.environ["TERM"])
    lines()

def modes():
    import fcntl, struct, termios
    t = termios.tcgetattr(0)
    size = struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))
    print("all", all(os.isatty(i) for i in range(3)), "echo", bool(t[3] & termios.ECHO),
        "lines", bool(t[3] & termios.ICANON), "size", size[0], size[1])
    with open("/dev/tty", "w") as tty:
        print("foreground", os.tcgetpgrp(tty.fileno()) == os.getpgrp(), "leader", os.getsid(0) == os.getpid())

def password():
    import getpass
    print("ready")
    secret = getpass.getpass("secret: ")
    print("it has", len(secret))

def interrupted():
    # Each word is one write, so that those of the two do not run into each other.
    child = subprocess.Popen([sys.executable, "-c", """
import os, time
try:
    os.write(1, b"child ready\\n")
    time.sleep(600)
except KeyboardInterrupt:
    os.write(1, b"child interrupted\\n")
"""])
    try:
        os.write(1, b"ready\n")
        while True:
            time.sleep(600)
    except KeyboardInterrupt:
        os.write(1, b"interrupted\n")
    child.wait()
    sys.exit(7)

def raw():
    import tty
    tty.setraw(0)
    os.write(1, b"ready\r\n")
    if sys.argv[2:] == ["leave"]:
        os._exit(0)
    while True:
        keys = os.read(0, 65536)
        os.write(1, b"keys %s\r\n" % keys.hex().encode())

def count():
    import tty
    tty.setraw(0)
    os.write(1, b"ready\r\n")
    n = 0
    while True:
        n += len(os.read(0, 65536))
        os.write(1, b"%d\r\n" % n)

def editor():
    import readline
    print("ready")
    while True:
        print("read", input("> "))

def deaf():
    print("ready")
    time.sleep(600)

def last_words():
    os.write(1, b"x" * 999_999 + b"\n" + b"the very end\n")
    os._exit(5)

def flood():
    block = b"0123456789" * 6553 + b"\n"
    while True:
        os.write(1, block)

def stubborn():
    for s in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(s, signal.SIG_IGN)
    for setsid in (False, True):
        subprocess.Popen([sys.executable, "-c", "import time; print('child'); time.sleep(600)"], start_new_session=setsid)
    print("ready")
    while True:
        time.sleep(600)

def computes():
    print("ready")
    for line in sys.stdin:
        end = time.monotonic() + float(line)
        while time.monotonic() < end:
            pass
        print("computed")

def threads():
    for _ in range(4):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    computes()

globals()[sys.argv[1]]()
