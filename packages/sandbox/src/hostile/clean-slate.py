"""What a command finds when it starts: prints it, for the host to compare."""
import json
import os


def lines(path):
    try:
        with open(path) as file:
            return file.read().splitlines()
    except OSError:
        return []


def names(folder):
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


own = {os.getpid(), os.getppid(), 1}
print(json.dumps({
    '/tmp': names('/tmp'),
    '/dev/shm': names('/dev/shm'),
    'queues': names('/dev/mqueue'),
    'System V': sum(len(lines(f'/proc/sysvipc/{kind}')) - 1 for kind in ('shm', 'sem', 'msg')),
    'processes': [name for name in names('/proc') if name.isdigit() and int(name) not in own],
    'mounts': len(lines('/proc/self/mountinfo')),
    'sockets': len(lines('/proc/net/tcp')) + len(lines('/proc/net/unix')),
    'signals': [line for line in lines('/proc/self/status') if line.startswith(('SigIgn', 'SigBlk'))],
}))
