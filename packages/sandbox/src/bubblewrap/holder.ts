/** The holder of a session's mounts: see holder.sh. The rest of the host does not see them. */
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { SkeinError } from '@skein/api';
import type { Slot } from '../launcher/slot.ts';

const SCRIPT = fileURLToPath(new URL('holder.sh', import.meta.url));
/** The kernel's cost of a file without its content; one inode per so many bytes of the disk. */
const BYTES_PER_INODE = 4096;

export interface HolderOptions {
  /** An empty folder of the driver, over which the holder mounts. */
  readonly folder: string;
  readonly diskBytes: number;
  /** The owner of the disk; undefined when it is the launcher's user. */
  readonly owner: number | undefined;
  /** The files to show: a path of the host, and its name under `show/`. */
  readonly shown: readonly { readonly source: string; readonly name: string }[];
}

export interface Holder {
  /** The command prefix that runs a program in the holder's name spaces, as the owner. */
  readonly enter: readonly string[];
  /** Unmounts everything. */
  close(): Promise<void>;
}

/** @throws SkeinError SANDBOX_UNSUPPORTED when something cannot be mounted. */
export async function hold(slot: Slot, options: HolderOptions): Promise<Holder> {
  const { folder, diskBytes, owner, shown } = options;
  const files = Math.min(Math.max(Math.ceil(diskBytes / BYTES_PER_INODE), 256), 1_000_000);
  slot.stdout.setEncoding('utf8');
  const output = firstOutput(slot.stdout);
  const complaint = text(slot.stderr);
  slot.release({
    argv: [
      'unshare',
      '--mount',
      '--propagation',
      'private',
      '/bin/sh',
      SCRIPT,
      folder,
      String(diskBytes),
      String(files),
      String(owner ?? 0),
      ...shown.flatMap(({ source, name }) => [source, name]),
    ],
    rlimits: { fileBytes: Infinity, stackBytes: 8 << 20, cpuSeconds: Infinity, openFiles: 64 },
  });
  if ((await output) !== 'held\n') {
    const why = (await complaint).trim();
    await slot.remove();
    throw new SkeinError('SANDBOX_UNSUPPORTED', `The session’s files cannot be mounted: ${why}`);
  }
  const user = owner === undefined ? [] : ['--setuid', String(owner), '--setgid', String(owner)];
  return {
    enter: ['nsenter', `--mount=/proc/${slot.pid}/ns/mnt`, ...user],
    close: () => slot.remove(),
  };
}

/** The first chunk of a stream, or nothing when it ends. */
export async function firstOutput(stream: NodeJS.ReadableStream): Promise<string> {
  return await new Promise((resolve) => {
    stream.once('data', (text: string) => resolve(text));
    stream.once('close', () => resolve(''));
    stream.once('end', () => resolve(''));
  });
}
