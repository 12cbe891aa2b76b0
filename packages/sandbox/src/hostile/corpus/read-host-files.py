# Searches for a file of the host, by its path and by every other way to the same place.
# expect: held
import os
path, secret = os.environ['CANARY_FILE'], os.environ['CANARY_MARK'].encode()
escaped = False
roots = ['', '/proc/1/root', '/proc/self/root', f'/proc/{os.getppid()}/root', '/..', '/host', '/mnt', '/proc/1/cwd', '/proc/self/cwd/../..']
roots += [f'/proc/self/fd/{number}' for number in range(10)] + [f'/proc/1/fd/{number}/..' for number in range(10)]
for root in roots:
    try:
        with open(root + path, 'rb') as file:
            if secret in file.read():
                print('ESCAPED:', root + path)
                escaped = True
    except OSError:
        pass
for path in ('/etc/shadow', '/root/.ssh', '/root/.bash_history', '/var/lib/docker', '/dev/mem', '/dev/vda', '/dev/sda'):
    try:
        if os.path.isdir(path):
            os.listdir(path)
        else:
            open(path, 'rb').read(1)
        print('ESCAPED:', path)
        escaped = True
    except OSError:
        pass
raise SystemExit(int(escaped))
