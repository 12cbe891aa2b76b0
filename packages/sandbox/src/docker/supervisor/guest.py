"""What a forked child does before it runs the guest's program, and the file work done as a guest user.
"""
import ctypes
import errno
import os
import resource

# Users of guests: the author may change the workspace, the reader may not.
AUTHOR, READER = 58001, 58002
PR_CAPBSET_DROP = 24

libc = ctypes.CDLL(None, use_errno=True)


def drop_bounding_set():
    """No program that is run later gains a capability. Done first, while it is still allowed."""
    capability = 0
    while libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1


def become(user):
    """Gives up every right, irrevocably."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def limit(kind, most):
    """None adds no limit; the limits of the container are kept."""
    _, ceiling = resource.getrlimit(kind)
    if most is not None and (ceiling == resource.RLIM_INFINITY or most < ceiling):
        resource.setrlimit(kind, (most, most))


def execute(spec):
    """In the child: becomes the program. Returns only by ending the process."""
    try:
        with open('/proc/self/oom_score_adj', 'w') as file:
            file.write('1000')
    except OSError:
        pass
    if spec['shared']:
        os.nice(19)  # otherwise it would starve process 1 of processor time
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, spec['fileBytes'])
    limit(resource.RLIMIT_NOFILE, 1024)
    limit(resource.RLIMIT_STACK, spec['stackBytes'])
    limit(resource.RLIMIT_MSGQUEUE, 0)
    if spec['cpuMs'] is not None:
        limit(resource.RLIMIT_CPU, int(spec['cpuMs'] // 1000) + 2)  # a second line behind the accounted limit
    become(spec['user'])
    os.umask(0o022)
    program = spec['argv'][0]
    try:
        os.chdir(spec['cwd'])
    except OSError as error:
        return refuse(f"{spec['cwd']}: {error.strerror}", 126)
    try:
        os.execvpe(program, spec['argv'], spec['env'])
    except OSError as error:
        if error.errno != errno.ENOENT:
            return refuse(f'skein: the program "{program}" cannot be executed: {error.strerror}', 126)
        what = ', or the interpreter that it names,' if '/' in program else ''
        # The sentence of plain-refusal.ts.
        return refuse(
            f'skein: the program "{program}"{what} is missing in the sandbox: '
            'install it on the worker or in the image, send its file along as an input, '
            'or take a Python environment along (skein run --venv FOLDER)', 127)


def refuse(message, status):
    os.write(2, f'{message}\n'.encode(errors='surrogateescape'))
    return status


def aside(work, user):
    """Runs a short piece of work as a guest user and waits for it."""
    pid = os.fork()
    if pid == 0:
        try:
            drop_bounding_set()
            work(user)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
