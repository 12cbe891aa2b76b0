"""One command from its fork to its end: its process, its pipes, its first cause of ending.
"""
import json
import os
import signal
import time

WINDOW = 256 * 1024  # bytes of one stream that may be on their way


class Stream:
    """stdout or stderr of a command, on its way to the node."""

    def __init__(self, kind, descriptor):
        self.kind = kind
        self.descriptor = descriptor
        self.window = WINDOW


class Command:
    def __init__(self, number):
        self.number = number
        self.spec = None
        self.cause = None
        self.status = None
        self.swept = False
        self.begun = None
        self.wall_ms = 0
        self.output = 0
        self.pending = bytearray()  # stdin that the guest has not taken yet
        self.stdin_ends = False
        self.reported = False
        self.fork()

    def fork(self):
        in_read, in_write = os.pipe()
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        gate_read, gate_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 125
            try:
                os.setsid()
                drop_bounding_set()
                os.close(gate_write)
                spec = b''
                while chunk := os.read(gate_read, CHUNK):
                    spec += chunk
                if not spec:
                    os._exit(status)
                for target, source in enumerate((in_read, out_write, err_write)):
                    os.dup2(source, target)
                os.closerange(3, 1 << 16)
                for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
                    signal.signal(number, signal.SIG_DFL)
                spec = json.loads(spec)
                status = WORK[spec['work']](spec)
            except BaseException as error:
                os.write(2, f'{type(error).__name__}: {error}\n'.encode(errors='surrogateescape'))
            finally:
                os._exit(status)
        for descriptor in (in_read, out_write, err_write):
            os.fchmod(descriptor, 0o666)  # so that a guest may open /dev/stdin, which is root's
        for descriptor in (in_read, out_write, err_write, gate_read):
            os.close(descriptor)
        self.gate = gate_write
        self.stdin = in_write
        self.streams = [Stream(STDOUT, out_read), Stream(STDERR, err_read)]
        for descriptor in (in_write, out_read, err_read):
            os.set_blocking(descriptor, False)

    def go(self, spec):
        self.spec = spec
        if spec['shared']:
            self.cpu_before = COUNTERS.cpu_ns()
            self.oom_before = COUNTERS.oom_kills()
            self.peak_before = COUNTERS.memory_peak()
            self.memory_before = self.memory_seen = COUNTERS.memory_now()
        self.begun = time.monotonic()
        text = memoryview(json.dumps(spec).encode())
        try:
            while text:
                text = text[os.write(self.gate, text) :]
        except BrokenPipeError:
            pass
        os.close(self.gate)

    def end(self, cause):
        """The first cause is the one that is reported."""
        if self.cause is None:
            shared = self.spec is not None and self.spec['shared']
            starved = shared and COUNTERS.oom_kills() > self.oom_before
            self.cause = 'out-of-memory' if starved else cause

    def overdue(self):
        if self.begun is None or self.status is not None:
            return None
        if self.spec['wallMs'] is not None and self.left_ms() < 0:
            return 'wall-limit'
        if self.spec['shared']:
            self.memory_seen = max(self.memory_seen, COUNTERS.memory_now())
            if self.spec['cpuMs'] is not None and self.cpu_ms() > self.spec['cpuMs']:
                return 'cpu-limit'
        return None

    def left_ms(self):
        return self.spec['wallMs'] - (time.monotonic() - self.begun) * 1000

    # Only of a command that shares the account of the container.

    def cpu_ms(self):
        return (COUNTERS.cpu_ns() - self.cpu_before) / 1e6

    def peak_bytes(self):
        """Exact when this command exceeded all earlier ones; else the highest sample."""
        peak = COUNTERS.memory_peak()
        seen = max(self.memory_seen, COUNTERS.memory_now())
        return max(0, (peak if peak > self.peak_before else seen) - self.memory_before)
