/**
 * The node's ends of the pipes of a parked process.
 *
 * The process has made anonymous pipes; the node opens their other ends through /proc/PID/fd. So a
 * guest gets real pipes: `/dev/stdin` and `/dev/stderr` can be opened as in any shell. Node's own
 * pipes are sockets, which cannot be opened like this.
 */
import { chownSync, constants, openSync, readlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { readLines, type Lines } from './lines.ts';

/** Descriptors of a parked process, as launcher.sh has them. */
const PARKED = { control: 0, status: 3, stdin: 4, stdout: 6, stderr: 8 } as const;

export interface Pipes {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The process's output at descriptor 3. Ends with the process. */
  readonly status: Lines;
  /** The release, and what the released process then reads from descriptor 4. */
  readonly control: Writable;
  /** Gives stdin, stdout and stderr to the user, so that the user can open them by name. */
  giveTo(uid: number): void;
}

/** @throws Error when the shell of this system does not make pipes out of here-documents. */
export function openPipes(pid: number): Pipes {
  const at = (fd: number): string => `/proc/${pid}/fd/${fd}`;
  if (!readlinkSync(at(PARKED.stdin)).startsWith('pipe:')) {
    throw new Error('/bin/sh is too old: dash, or bash 5.1 or later, is needed');
  }
  const open = (fd: number, side: 'read' | 'write'): Socket => {
    const mode = side === 'read' ? constants.O_RDONLY : constants.O_WRONLY;
    const socket = new Socket({
      fd: openSync(at(fd), mode | constants.O_NONBLOCK),
      readable: side === 'read',
      writable: side === 'write',
    });
    // A program may end without reading its input (EPIPE), which is not an error.
    socket.on('error', () => socket.destroy());
    return socket;
  };
  return {
    stdin: open(PARKED.stdin, 'write'),
    stdout: open(PARKED.stdout, 'read'),
    stderr: open(PARKED.stderr, 'read'),
    status: readLines(open(PARKED.status, 'read')),
    control: open(PARKED.control, 'write'),
    giveTo(uid) {
      try {
        for (const fd of [PARKED.stdin, PARKED.stdout, PARKED.stderr]) chownSync(at(fd), uid, uid);
      } catch (error) {
        // The process was killed meanwhile and will not open its pipes; its status shows that it
        // has ended.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    },
  };
}
