"""Files of a guest, touched only by a child that has already become that guest.

Every path is walked part by part without following links; what a guest planted there can at most
make its own files unreadable.
"""
import errno
import json
import os
import signal
import stat

CHUNK = 64 * 1024  # bytes
DEPTH = 128  # directories within each other that are collected
SCRATCH = ('/tmp', '/dev/shm')


def descend(parts, make=False):
    """A descriptor of a directory below the workspace, reached without following a link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    at = os.open(WORKSPACE, flags)
    for part in parts:
        if make:
            try:
                os.mkdir(part, 0o755, dir_fd=at)
            except FileExistsError:
                pass
        below = os.open(part, flags, dir_fd=at)
        os.close(at)
        at = below
    return at


def put(spec):
    """In the child: takes files from stdin, each [length of header][header as JSON][content]."""
    become(AUTHOR)
    os.umask(0o022)
    source = os.fdopen(0, 'rb')
    while head := source.read(4):
        entry = json.loads(source.read(int.from_bytes(head, 'big')))
        *parents, name = entry['path'].split('/')
        try:
            directory = descend(parents, make=True)
            try:
                os.unlink(name, dir_fd=directory)
            except FileNotFoundError:
                pass
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(name, flags, 0o600, dir_fd=directory), 'wb') as file:
                left = entry['size']
                while left > 0:
                    chunk = source.read(min(left, CHUNK))
                    if not chunk:
                        return refuse('the content ended early', 1)
                    file.write(chunk)
                    left -= len(chunk)
                file.flush()
                os.fchmod(file.fileno(), 0o755 if entry['executable'] else 0o644)
            os.close(directory)
        except OSError as error:
            return refuse(f"{entry['path']}: {error.strerror}", 1)
    return 0


def collect(spec):
    """In the child: writes regular files in the form of `put`. Links, devices and FIFOs stay inside."""
    become(AUTHOR)
    budget = spec['maxBytes']
    out = os.fdopen(1, 'wb')

    def send(directory, name, path):
        nonlocal budget
        # Without O_NONBLOCK a FIFO that took the place of a file would hold this process for ever.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
        descriptor = os.open(name, flags, dir_fd=directory)
        with os.fdopen(descriptor, 'rb') as file:
            size = os.fstat(descriptor).st_size
            budget -= size
            if budget < 0:
                raise OverflowError(path)
            header = json.dumps({'path': path, 'size': size}).encode()
            out.write(len(header).to_bytes(4, 'big') + header)
            left = size
            while left > 0:
                chunk = file.read(min(left, CHUNK)) or bytes(min(left, CHUNK))  # it was cut meanwhile
                out.write(chunk)
                left -= len(chunk)

    def walk(directory, name, path, depth):
        what = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
        if stat.S_ISREG(what):
            send(directory, name, path)
            return True
        if not stat.S_ISDIR(what):
            return False
        if depth > DEPTH:
            raise OverflowError(path)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
        try:
            for child in sorted(os.listdir(below)):
                walk(below, child, child if path == '.' else f'{path}/{child}', depth + 1)
        finally:
            os.close(below)
        return True

    for path in spec['paths']:
        *parents, name = path.split('/')
        try:
            directory = descend(parents)
            found = walk(directory, name, path, 0)
            os.close(directory)
        except OverflowError as error:
            return refuse(str(error), 4)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return refuse(path, 3)
            return refuse(f'{path}: {error.strerror}', 5)
        if not found:
            return refuse(path, 3)
    out.flush()
    return 0


def empty(root):
    """Removes everything below a directory, at any depth: what lies deeper is moved to the top first."""
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    serial = 0
    while names := os.listdir(top):
        before = serial
        for name in names:
            try:
                os.unlink(name, dir_fd=top)
                serial += 1
                continue
            except (IsADirectoryError, PermissionError):
                pass
            try:
                os.chmod(name, 0o700, dir_fd=top)
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
            except OSError:
                continue
            for child in os.listdir(below):
                try:
                    os.unlink(child, dir_fd=below)
                except (IsADirectoryError, PermissionError):
                    # Only a directory that its owner may write can be moved.
                    os.chmod(child, 0o700, dir_fd=below)
                    os.rename(child, f'.{serial}.{os.getpid()}', src_dir_fd=below, dst_dir_fd=top)
                    serial += 1
            os.close(below)
            os.rmdir(name, dir_fd=top)
            serial += 1
        if serial == before:
            return False
    os.close(top)
    return True


def tidy(user):
    become(user)
    signal.alarm(5)
    return 0 if all([empty(root) for root in SCRATCH]) else 1


def publish(user):
    """Lets the reader read, and never write, what the author left in the workspace."""
    become(user)
    signal.alarm(5)
    for path, directories, files, at in os.fwalk(WORKSPACE, follow_symlinks=False):
        for name in directories + files:
            try:
                mode = os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
                    mode = stat.S_IMODE(mode) & 0o755
                    if mode & 0o400:
                        mode |= 0o044
                    if mode & 0o100:
                        mode |= 0o011
                    os.chmod(name, mode, dir_fd=at)
            except OSError:
                pass
    return 0
