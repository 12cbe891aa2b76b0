# Many processes, each of them small.
# expect: out-of-memory
import os, signal
for _ in range(16):
    if os.fork() == 0:
        hoard = bytearray(8 << 20)
        for at in range(0, len(hoard), 4096):
            hoard[at] = 1
        signal.pause()
signal.pause()
