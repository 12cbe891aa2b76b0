"""What the kernel accounted to the container, seen from inside, in both versions of the interface.
"""
import resource
import os

def number(path):
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def row(path, key):
    try:
        with open(path) as file:
            for line in file:
                name, _, value = line.partition(' ')
                if name == key:
                    return int(value)
    except (OSError, ValueError):
        pass
    return 0


class Counters:
    def __init__(self):
        root = '/sys/fs/cgroup'
        self.second = os.path.exists(f'{root}/cgroup.controllers')
        self.memory = root if self.second else f'{root}/memory'
        self.cpu = root if self.second else f'{root}/cpuacct'

    def cpu_ns(self):
        """Of all guests: this process, which relays for them, is not counted."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        own = int((used.ru_utime + used.ru_stime) * 1e9)
        if self.second:
            return row(f'{self.cpu}/cpu.stat', 'usage_usec') * 1000 - own
        return number(f'{self.cpu}/cpuacct.usage') - own

    def memory_now(self):
        return number(f'{self.memory}/' + ('memory.current' if self.second else 'memory.usage_in_bytes'))

    def memory_peak(self):
        return number(f'{self.memory}/' + ('memory.peak' if self.second else 'memory.max_usage_in_bytes'))

    def oom_kills(self):
        return row(f'{self.memory}/' + ('memory.events' if self.second else 'memory.oom_control'), 'oom_kill')
