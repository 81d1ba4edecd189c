"""Run a command when no other make is at work in this folder.

usage: alone.py COMMAND ...

The lock ends with the command, however that ends. Only what every Python has is
used, for the command may be what makes the environment.
"""

import fcntl
import os
import sys

if __name__ == "__main__":
    held = os.open("Makefile", os.O_RDONLY)
    os.set_inheritable(held, True)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another make is at work in this folder; this one waits for its end.", flush=True)
        fcntl.flock(held, fcntl.LOCK_EX)
    os.execvp(sys.argv[1], sys.argv[1:])
