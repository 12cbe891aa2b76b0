"""Process 1 of a sandbox container: runs commands for the node, as users without any right.

A `docker exec` costs 60 ms and shares the account of the whole container. This process is started
once, with the container, and then forks a command in about a millisecond. It speaks frames with
the node over its own stdin and stdout (frames.ts), and relays the standard streams of the guest
with a window of unacknowledged bytes, so that a slow reader blocks the guest and no other command.

What it keeps true:
- A guest is another user than this process and the root user, with no capability in any set; it
  cannot signal, trace or read this process, and holds no descriptor but its own three.
- Nothing that a guest wrote is parsed here: its bytes are relayed, its files are touched only by a
  child that has already become that guest.
- When a command has ended, every process of it is dead and /tmp, /dev/shm are empty, or the node is
  notified that they are not.
- When the node ends (end of stdin), this process ends, and with it every process in the container.

A command is made in two steps. PREPARE forks a child that waits; where the node can, it moves the
child into a control group of its own, with limits and an account that no other command shares. GO
sends the child the guest to become. Where the node cannot (`shared`: a daemon on another machine), time
and memory are the difference in the counters of the container, read here.
"""
import gc
import json
import os
import select
import signal
import struct
import sys
import time

HEADER = struct.Struct('>IBI')  # length of the payload, kind, command
GREETING_S = 30
TICK_MS = 20  # interval between two reads of the counters of a shared container

PREPARE, GO, STDIN, STDIN_END, ACK, KILL, SIGNAL, SWEPT = b'PGIEAKTS'
READY, FORKED, STDOUT, STDERR, STDIN_ACK, EXITED, DONE = b'RFOXWLD'


class Supervisor:
    def __init__(self):
        self.commands = {}
        self.by_descriptor = {}
        self.inbox = bytearray()
        self.outbox = bytearray()
        self.author_wrote = False
        self.poll = select.poll()
        wake_read, wake_write = os.pipe()
        for descriptor in (wake_read, wake_write, 0, 1):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.wake = wake_read
        self.poll.register(wake_read, select.POLLIN)
        self.poll.register(0, select.POLLIN)

    # Towards the node.

    def send(self, kind, number=0, payload=b''):
        if not self.outbox:
            self.poll.register(1, select.POLLOUT)
        self.outbox += HEADER.pack(len(payload), kind, number) + payload
        if kind not in (STDOUT, STDERR):
            self.flush()

    def flush(self):
        if not self.outbox:
            return
        try:
            sent = os.write(1, self.outbox)
        except BlockingIOError:
            return
        del self.outbox[:sent]
        if not self.outbox:
            self.poll.unregister(1)

    # From the node.

    def receive(self):
        chunk = os.read(0, 1 << 18)
        if not chunk:
            os._exit(0)  # the node is gone; the kernel ends the rest
        signal.alarm(0)
        self.inbox += chunk
        at = 0
        while len(self.inbox) - at >= HEADER.size:
            length, kind, number = HEADER.unpack_from(self.inbox, at)
            if len(self.inbox) - at - HEADER.size < length:
                break
            payload = bytes(self.inbox[at + HEADER.size : at + HEADER.size + length])
            at += HEADER.size + length
            self.handle(kind, number, payload)
        del self.inbox[:at]

    def handle(self, kind, number, payload):
        if kind == PREPARE:
            self.prepare(Command(number))
            return
        command = self.commands.get(number)
        if command is None:
            return  # it ended while the frame was on its way
        if kind == GO:
            if command.status is None:
                self.go(command, json.loads(payload))
        elif kind == STDIN:
            command.pending += payload
            self.feed(command)
        elif kind == STDIN_END:
            command.stdin_ends = True
            self.feed(command)
        elif kind == ACK:
            which, count = struct.unpack('>BI', payload)
            stream = command.streams[which]
            if stream.window <= 0 < stream.window + count and stream.descriptor is not None:
                self.poll.register(stream.descriptor, select.POLLIN)
            stream.window += count
        elif kind == KILL:
            command.end('killed')
            self.kill(command)
        elif kind == SWEPT:
            self.swept(command)
        elif kind == SIGNAL and command.status is None:
            os.kill(command.pid, int.from_bytes(payload, 'big'))

    def prepare(self, command):
        self.commands[command.number] = command
        for stream in command.streams:
            self.by_descriptor[stream.descriptor] = (command, stream)
            self.poll.register(stream.descriptor, select.POLLIN)
        self.send(FORKED, command.number, command.pid.to_bytes(4, 'big'))

    def go(self, command, spec):
        if spec['work'] == 'run':
            spec['user'] = AUTHOR if spec['writable'] else READER
            if spec['writable']:
                self.author_wrote = True
            elif self.author_wrote:
                aside(publish, AUTHOR)
                self.author_wrote = False
        command.go(spec)

    # Streams of a guest.

    def feed(self, command):
        """Writes stdin to the guest as far as it reads, and reports to the node how much that was."""
        if command.stdin is None:
            taken = len(command.pending)
        else:
            try:
                taken = os.write(command.stdin, command.pending) if command.pending else 0
            except BlockingIOError:
                taken = 0
            except BrokenPipeError:
                taken = len(command.pending)
                self.close_stdin(command)
        if taken:
            del command.pending[:taken]
            self.send(STDIN_ACK, command.number, taken.to_bytes(4, 'big'))
        if command.stdin is None:
            return
        if command.pending:
            if command.stdin not in self.by_descriptor:
                self.by_descriptor[command.stdin] = (command, None)
                self.poll.register(command.stdin, select.POLLOUT)
        else:
            self.unregister(command.stdin)
            if command.stdin_ends:
                self.close_stdin(command)

    def close_stdin(self, command):
        if command.stdin is not None:
            self.unregister(command.stdin)
            os.close(command.stdin)
            command.stdin = None

    def unregister(self, descriptor):
        if self.by_descriptor.pop(descriptor, None):
            try:
                self.poll.unregister(descriptor)
            except KeyError:
                pass

    def relay(self, command, stream):
        try:
            chunk = os.read(stream.descriptor, CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            self.unregister(stream.descriptor)
            os.close(stream.descriptor)
            stream.descriptor = None
            return
        command.output += len(chunk)
        most = command.spec['outputBytes']
        left = len(chunk) if most is None else max(0, most - command.output + len(chunk))
        if len(chunk) > left:
            chunk = chunk[:left]
            command.end('output-limit')
            self.kill(command)
        if chunk:
            stream.window -= len(chunk)
            self.send(stream.kind, command.number, chunk)
        # A dead command has at most a full pipe left, and no process waits to write more.
        if stream.window <= 0 and not command.swept:
            self.poll.unregister(stream.descriptor)

    # The end of a command.

    def kill(self, command):
        """Kills the processes of this command. Alone in the container, that is all others, in one call."""
        try:
            if len(self.commands) == 1:
                os.kill(-1, signal.SIGKILL)
            elif command.status is None:
                os.kill(command.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def reap(self):
        """Reaps dead processes, also those whose parents died before them. True when none is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            for command in self.commands.values():
                if command.pid == pid and command.status is None:
                    command.status = status
                    if command.begun is not None:
                        command.wall_ms = (time.monotonic() - command.begun) * 1000

    def sweep(self, command):
        """After the program has ended: kills what it left. The node does it when other commands run."""
        if len(self.commands) == 1:
            self.kill(command)
            if self.reap():
                self.swept(command)
        elif command.spec is None or command.spec['work'] != 'run':
            self.swept(command)
        elif not command.reported:
            command.reported = True
            self.send(EXITED, command.number)

    def swept(self, command):
        """No process of the command is left; its pipes hold all remaining output."""
        command.swept = True
        for stream in command.streams:
            if stream.descriptor is not None:
                self.poll.register(stream.descriptor, select.POLLIN)

    def finish(self, command):
        self.close_stdin(command)
        if command.begun is None:
            os.close(command.gate)
        del self.commands[command.number]
        ran = command.spec is not None and command.spec['work'] == 'run'
        clean = self.commands or not ran or self.tidy()
        command.end('signal' if os.WIFSIGNALED(command.status) else 'exit')
        ending = {
            'endedBy': command.cause,
            'exitCode': os.WEXITSTATUS(command.status) if os.WIFEXITED(command.status) else None,
            'signal': os.WTERMSIG(command.status) if os.WIFSIGNALED(command.status) else None,
            'wallMs': command.wall_ms,
            'outputBytes': command.output,
            'clean': bool(clean),
        }
        if ran and command.spec['shared']:
            ending['cpuMs'] = command.cpu_ms()
            ending['peakMemoryBytes'] = command.peak_bytes()
        self.send(DONE, command.number, json.dumps(ending).encode())

    def tidy(self):
        """Empties /tmp and /dev/shm. Users may have left files in directories of each other."""
        for user in (READER, AUTHOR) * 3:
            if not any(os.listdir(root) for root in SCRATCH):
                return True
            aside(tidy, user)
        return not any(os.listdir(root) for root in SCRATCH)

    # The loop.

    def run(self):
        # A node that died between making and starting this container sends nothing and closes
        # nothing.
        signal.alarm(GREETING_S)
        self.send(READY)
        while True:
            for descriptor, _ in self.poll.poll(self.patience()):
                if descriptor == 0:
                    self.receive()
                elif descriptor == 1:
                    self.flush()
                elif descriptor == self.wake:
                    os.read(self.wake, 4096)
                elif descriptor in self.by_descriptor:
                    command, stream = self.by_descriptor[descriptor]
                    if stream is None:
                        self.feed(command)
                    elif stream.window > 0 or command.swept:
                        self.relay(command, stream)
            self.reap()
            for command in list(self.commands.values()):
                cause = command.overdue()
                if cause:
                    command.end(cause)
                    self.kill(command)
                if command.status is not None and (command.swept or self.sweep(command)):
                    if all(stream.descriptor is None for stream in command.streams):
                        self.finish(command)

    def patience(self):
        """Milliseconds until the next check; None when only events matter."""
        soonest = None
        for command in self.commands.values():
            if command.status is not None:
                return 1
            if command.begun is None:
                continue
            left = TICK_MS if command.spec['shared'] else None
            if command.spec['wallMs'] is not None:
                wall = max(1, int(command.left_ms()) + 1)
                left = wall if left is None else min(left, wall)
            if left is not None:
                soonest = left if soonest is None else min(soonest, left)
        return soonest


WORKSPACE, INPUTS = sys.argv[1:]
COUNTERS = Counters()
WORK = {'run': execute, 'put': put, 'provide': provide, 'collect': collect}
gc.freeze()
gc.disable()
signal.pthread_sigmask(signal.SIG_SETMASK, [])
Supervisor().run()
