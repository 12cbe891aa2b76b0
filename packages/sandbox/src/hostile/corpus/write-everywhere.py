# Tries to leave a file in every directory, and to change every file of the system.
# expect: held cpu-limit
import os
allowed = ('/workspace', '/tmp', '/dev/shm', '/proc', os.getcwd())
escaped = False
for folder, folders, files in os.walk('/', followlinks=False):
    if folder in ('/proc', '/usr/share', '/usr/lib', '/usr/include', '/sys/kernel/slab', '/sys/devices', '/sys/module', '/sys/bus', '/sys/class'):
        folders.clear()
    try:
        with open(f'{folder}/planted', 'x'):
            pass
        if not folder.startswith(allowed):
            print('ESCAPED:', folder)
            escaped = True
    except OSError:
        pass
for path in ('/etc/passwd', '/etc/ld.so.preload', '/usr/bin/env', '/bin/sh', '/etc/hosts', '/etc/resolv.conf'):
    try:
        open(path, 'ab').close()
        print('ESCAPED:', path)
        escaped = True
    except OSError:
        pass
raise SystemExit(int(escaped))
