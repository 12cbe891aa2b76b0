# Searches the files and processes of another session that runs at this moment.
# expect: held
import os
other = os.environ['VICTIM_MARK'].encode() + b'+'  # the continuation of the mark in the other session alone
escaped = False
def look(path):
    global escaped
    try:
        with open(path, 'rb') as file:
            if other in file.read(1 << 20):
                print('ESCAPED:', path)
                escaped = True
    except OSError:
        pass
for process in filter(str.isdigit, os.listdir('/proc')):
    for name in ('environ', 'cmdline', 'mountinfo'):
        look(f'/proc/{process}/{name}')
for top in ('/workspace', '/tmp', '/dev/shm', '/run', '/var/tmp', '/home', '/srv', '/mnt', '/opt'):
    for folder, _, files in os.walk(top):
        for name in files:
            look(f'{folder}/{name}')
raise SystemExit(int(escaped))
