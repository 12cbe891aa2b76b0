# Writes for ever to stderr, from children that have left.
# expect: output-limit
import os
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        while True:
            os.write(2, b'y' * 4096)
os.waitpid(-1, 0)
