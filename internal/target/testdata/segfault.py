"""Is killed by a signal before it listens."""
import os, signal

os.kill(os.getpid(), signal.SIGSEGV)
