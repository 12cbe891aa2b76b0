# Many files, each of them small enough.
# expect: held out-of-memory
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
written = 0
for number in range(1000):
    try:
        with open(f'part{number}', 'wb', buffering=0) as file:
            written += file.write(bytes(1 << 18))
    except OSError:
        break
if written > int(os.environ['DISK_BYTES']):
    print('ESCAPED:', written, 'bytes')
    raise SystemExit(1)
