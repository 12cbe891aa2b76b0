# Asks the kernel to kill another process when its memory is short.
# expect: out-of-memory
import os
for value in ('-1000', '-500', '-1', '0'):
    try:
        with open('/proc/self/oom_score_adj', 'w') as file:
            file.write(value)
    except OSError:
        pass
hoard = []
while True:
    hoard.append(bytearray(os.urandom(1 << 16)) * 16)
