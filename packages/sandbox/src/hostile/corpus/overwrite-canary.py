# Writes to a world-writable file of the host, and removes it.
# expect: held
import os
path = os.environ['CANARY_FILE']
for root in ('', '/proc/1/root', '/proc/self/root', '/..'):
    for attempt in (lambda at: open(at, 'w').write('mine'), os.unlink, lambda at: os.rename(at, at + '.gone'), lambda at: os.chmod(at, 0)):
        try:
            attempt(root + path)
        except OSError:
            pass
