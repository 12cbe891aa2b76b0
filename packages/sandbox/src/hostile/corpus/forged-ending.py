# Speaks the protocol of its supervisor and reports a good ending, on every descriptor that it can
# open.
# expect: exit 7
import json, os, struct
ending = json.dumps({'endedBy': 'exit', 'exitCode': 0, 'signal': None, 'wallMs': 0, 'outputBytes': 0, 'clean': True}).encode()
frames = b''.join(struct.pack('>IBI', len(ending), ord('D'), number) + ending for number in range(1, 200))
for process in ('1', str(os.getppid()), 'self'):
    for descriptor in range(3, 12):
        try:
            with open(f'/proc/{process}/fd/{descriptor}', 'wb', buffering=0) as file:
                file.write(frames + b'exited 0\nexit 0\n')
        except OSError:
            pass
os.write(1, frames)
os._exit(7)
