"""Files of a guest, touched only by a child that has already become that guest.

Every path is walked part by part without following links: what a guest planted there can at most
keep its own files from being read.
"""
import json
import os
import signal
import stat

CHUNK = 64 * 1024  # bytes
DEPTH = 128  # directories within each other that are collected
SCRATCH = ('/tmp', '/dev/shm')
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# Without O_NONBLOCK a FIFO that took the place of a file would block its reader for ever.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


def mode_at(name, at):
    """Of the entry itself, not of the target of a link; 0 when it does not exist."""
    try:
        return os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
    except OSError:
        return 0


def open_at(name, flags, at):
    """Opens a file that belongs to this user, whatever its modes."""
    try:
        return os.open(name, flags, dir_fd=at)
    except PermissionError:
        os.chmod(name, 0o700 if flags == DIRECTORY else 0o600, dir_fd=at)
        return os.open(name, flags, dir_fd=at)


def descend(root, parts, make=False):
    """A descriptor of a directory below the root. @param make: also what is missing on the way."""
    at = os.open(root, DIRECTORY)
    for part in parts:
        if make:
            if stat.S_ISLNK(mode_at(part, at)):
                os.unlink(part, dir_fd=at)
            if mode_at(part, at) == 0:
                os.mkdir(part, 0o755, dir_fd=at)
        below = open_at(part, DIRECTORY, at)
        os.close(at)
        at = below
    return at


def put(spec):
    """In the child: takes files from stdin, into the workspace."""
    become(AUTHOR)
    return unpack(WORKSPACE)


def provide(spec):
    """In the child, as root and before there is a guest: takes files to where no guest can write."""
    return unpack(INPUTS)


def unpack(root):
    """Files, each [length of header][header as JSON][content]."""
    os.umask(0o022)
    source = os.fdopen(0, 'rb')
    while head := source.read(4):
        entry = json.loads(source.read(int.from_bytes(head, 'big')))
        try:
            receive(root, entry, source)
        except OSError as error:
            return refuse(f"{entry['path']}: {error.strerror}", 1)
    return 0


def receive(root, entry, source):
    *parents, name = entry['path'].split('/')
    directory = descend(root, parents, make=True)
    if mode_at(name, directory) != 0:
        os.unlink(name, dir_fd=directory)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=directory), 'wb') as file:
        left = entry['size']
        while left > 0:
            chunk = source.read(min(left, CHUNK))
            file.write(chunk)
            left -= len(chunk) or left  # the node ended in the middle
        file.flush()
        os.fchmod(file.fileno(), 0o755 if entry['executable'] else 0o644)
    os.close(directory)


def collect(spec):
    """In the child: writes regular files in the form of `put`, then names what is missing on stderr.
    Links, devices and FIFOs stay inside, and so do names that are not UTF-8."""
    become(AUTHOR)
    missing = []
    with os.fdopen(1, 'wb') as out:
        for path in spec['paths']:
            *parents, name = path.split('/')
            try:
                directory = descend(WORKSPACE, parents)
                found = send_tree(out, directory, name, path, DEPTH)
                os.close(directory)
            except (OSError, UnicodeError):
                found = False
            if not found:
                missing.append(path)
    os.write(2, json.dumps(missing).encode())
    return 0


def send_tree(out, directory, name, path, depth):
    """False when there is neither a file nor a directory."""
    mode = mode_at(name, directory)
    if stat.S_ISREG(mode):
        send(out, open_at(name, FILE, directory), path)
    elif stat.S_ISDIR(mode) and depth > 0:
        below = open_at(name, DIRECTORY, directory)
        for child in sorted(os.listdir(below)):
            try:
                child.encode()
            except UnicodeError:
                continue
            send_tree(out, below, child, f'{path}/{child}', depth - 1)
        os.close(below)
    else:
        return False
    return True


def send(out, descriptor, path):
    with os.fdopen(descriptor, 'rb') as file:
        left = os.fstat(descriptor).st_size
        header = json.dumps({'path': path, 'size': left}).encode()
        out.write(len(header).to_bytes(4, 'big') + header)
        while left > 0:
            chunk = file.read(min(left, CHUNK)) or bytes(min(left, CHUNK))  # it was cut meanwhile
            out.write(chunk)
            left -= len(chunk)


def tidy(user):
    """Removes what this user can of what commands left outside the workspace."""
    become(user)
    signal.alarm(5)
    for root in SCRATCH:
        empty(os.open(root, DIRECTORY))


def empty(top):
    """Removes what is below a directory, at any depth: what lies deeper is moved to the top first."""
    moved = 0
    progress = True
    while progress:
        progress = False
        for name in os.listdir(top):
            try:
                if not stat.S_ISDIR(mode_at(name, top)):
                    os.unlink(name, dir_fd=top)
                    progress = True
                    continue
                os.chmod(name, 0o700, dir_fd=top)
                below = os.open(name, DIRECTORY, dir_fd=top)
                for child in os.listdir(below):
                    if stat.S_ISDIR(mode_at(child, below)):
                        # Only a directory that may be written can be moved.
                        os.chmod(child, 0o700, dir_fd=below)
                        os.rename(child, f'.{os.getpid()}.{moved}', src_dir_fd=below, dst_dir_fd=top)
                        moved += 1
                    else:
                        os.unlink(child, dir_fd=below)
                os.close(below)
                os.rmdir(name, dir_fd=top)
                progress = True
            except OSError:
                pass  # another user's, which is emptied next


def publish(user):
    """Lets the reader read, and never write, what the author left in the workspace."""
    become(user)
    signal.alarm(5)
    for _, directories, files, at in os.fwalk(WORKSPACE, follow_symlinks=False):
        for name in directories + files:
            mode = mode_at(name, at)
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                continue
            mode = stat.S_IMODE(mode) & 0o755
            if mode & 0o400:
                mode |= 0o044
            if mode & 0o100:
                mode |= 0o011
            try:
                os.chmod(name, mode, dir_fd=at)
            except OSError:
                pass
