# Cpu time of children that are never waited for is in no parent's account.
# expect: cpu-limit
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if os.fork() == 0:
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
        os._exit(0)
    time.sleep(0.06)
