# Closes its standard streams and continues.
# expect: wall-limit cpu-limit
import os, time
for descriptor in range(3):
    os.close(descriptor)
while True:
    time.sleep(100)
