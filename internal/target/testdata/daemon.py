"""Goes into the background, as daemons do, and is seen to end."""
import os, time

if os.fork() == 0:
    os.setsid()
    time.sleep(60)
