# Settings and information of the kernel under /proc and /sys.
# expect: held
import os
escaped = False
# Where the first process runs as this user, it has no more rights than this one.
own = os.stat('/proc/1/mem').st_uid == os.getuid()
for path in ('/proc/sys/kernel/core_pattern', '/proc/sys/kernel/modprobe', '/proc/sysrq-trigger', '/proc/sys/vm/overcommit_memory',
             '/proc/sys/kernel/hostname', '/proc/1/oom_score_adj', '/proc/1/mem', '/proc/1/uid_map', '/sys/kernel/uevent_helper',
             '/sys/kernel/mm/transparent_hugepage/enabled', '/sys/power/state', '/proc/irq/0/smp_affinity', '/sys/fs/cgroup/memory/release_agent'):
    try:
        if own and path.startswith('/proc/1/'):
            continue
        os.close(os.open(path, os.O_WRONLY))
        print('ESCAPED: writes', path)
        escaped = True
    except OSError:
        pass
for path in ('/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/1/environ', '/proc/1/maps', '/proc/1/fd/0', '/sys/firmware/efi', '/proc/kmsg', '/dev/kmsg'):
    try:
        if own and path.startswith('/proc/1/'):
            continue
        with open(path, 'rb') as file:
            if file.read(1):
                print('ESCAPED: reads', path)
                escaped = True
    except OSError:
        pass
try:
    with open('/proc/kallsyms') as file:
        if int(file.readline().split()[0], 16):
            print('ESCAPED: addresses of the kernel')
            escaped = True
except (OSError, IndexError):
    pass
raise SystemExit(int(escaped))
