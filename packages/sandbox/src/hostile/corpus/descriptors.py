# Searches for descriptors that were left open to it.
# expect: held
import os
escaped = False
for name in os.listdir('/proc/self/fd'):
    if int(name) > 2:
        try:
            target = os.readlink(f'/proc/self/fd/{name}')
        except OSError:
            continue  # the one with which this directory was read
        if not target.endswith('/fd') and target != '/dev/null':
            print('ESCAPED:', name, target)
            escaped = True
raise SystemExit(int(escaped))
