/**
 * The network of a session with an address list: a name space with only a loopback interface, which
 * the session's commands share and a process of the driver keeps alive. Without a list, each
 * command gets a fresh one.
 *
 * bubblewrap makes it, because bubblewrap brings the loopback up without another program.
 */
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Slot } from '../launcher/slot.ts';
import { firstOutput } from './holder.ts';
import { hostPrograms } from './root.ts';
import { closingOptions } from './session.ts';

/**
 * Not with the whole root of the host: bubblewrap mounts again each mount below what it shows, and fails if
 * one of them ends meanwhile, as mounts of containers do.
 */
const NETWORK = [
  '--unshare-net',
  ...hostPrograms(),
  '--dev',
  '/dev',
  '--json-status-fd',
  '3',
  '--',
];
const HOLD = 'echo held; exec cat > /dev/null';

export interface HeldNetwork {
  /** A process in it, by its id on the host. */
  readonly pid: number;
  /** The option with which `nsenter` enters it. */
  readonly enter: string;
  close(): Promise<void>;
}

/** @throws Error when bubblewrap cannot make it. */
export async function holdNetwork(slot: Slot): Promise<HeldNetwork> {
  slot.stdout.setEncoding('utf8');
  const output = firstOutput(slot.stdout);
  const complaint = text(slot.stderr);
  slot.release({
    argv: ['bwrap', ...closingOptions(slot.covered), ...NETWORK, '/bin/sh', '-c', HOLD],
    rlimits: { fileBytes: Infinity, stackBytes: 8 << 20, cpuSeconds: Infinity, openFiles: 64 },
  });
  if ((await output) !== 'held\n') {
    await slot.remove();
    throw new Error(`no network can be made for a session: ${(await complaint).trim()}`);
  }
  const status = readJson((await slot.status.next()) ?? '{}', JSON_BOUNDS.frame) as {
    'child-pid'?: number;
  };
  const { hostPid } = slot;
  const [child] = readFileSync(`/proc/${hostPid}/task/${hostPid}/children`, 'latin1').split(' ');
  return {
    pid: Number(child),
    enter: `--net=/proc/${status['child-pid']}/ns/net`,
    close: () => slot.remove(),
  };
}
