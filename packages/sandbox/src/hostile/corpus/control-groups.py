# Leaves its limits: another control group, a larger limit, a new group.
# expect: held
import os
escaped = False
for folder, _, files in os.walk('/sys/fs/cgroup'):
    for name in files:
        if name.startswith(('cgroup.', 'memory.', 'pids.', 'cpu.', 'tasks', 'release_agent', 'devices.')):
            try:
                os.close(os.open(f'{folder}/{name}', os.O_WRONLY))
                print('ESCAPED:', f'{folder}/{name}')
                escaped = True
            except OSError:
                pass
    try:
        os.mkdir(f'{folder}/hostile')
        print('ESCAPED: a group in', folder)
        escaped = True
    except OSError:
        pass
raise SystemExit(int(escaped))
