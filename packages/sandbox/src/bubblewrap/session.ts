/**
 * A session of the bubblewrap driver: a holder with the session's disk, and for every command a
 * fresh set of name spaces over it.
 */
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Command, NetworkPolicy, RunningCommand, SandboxSession } from '../contract.ts';
import type { Launcher } from '../launcher/launcher.ts';
import type { Release, Slot } from '../launcher/slot.ts';
import type { AllLimits } from '../command/limits.ts';
import { emptied, signalProgram, startCommand, type Launch } from '../command/command.ts';
import { sessionOf } from '../command/session.ts';
import type { Holder } from './holder.ts';

/** Guest paths. */
const WORKSPACE = '/workspace';
const ENVIRONMENT = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
  HOME: '/tmp',
  LANG: 'C.UTF-8',
};

/** bubblewrap's monitor and its process 1, which count in the group of the command. */
const OWN_PROCESSES = 2;
const OPEN_FILES = 1024;
/** Limits of the driver's own programs in the workspace. */
const TRUSTED_WALL_MS = 120_000;
/** Memory in addition to the files that they put on the disk. */
const TRUSTED_MEMORY_BYTES = 256 << 20;

export interface SessionParts {
  readonly launcher: Launcher;
  readonly holder: Holder;
  /** The command prefix that gives a program another seccomp filter than the launcher's. */
  readonly filter: readonly string[];
  readonly limits: AllLimits;
  readonly network: NetworkPolicy;
  /** Environment variables of commands in addition to the usual ones. */
  readonly environment: Readonly<Record<string, string>>;
  /** The folder that holds the holder's mounts. */
  readonly held: string;
  /** Options for the root of a guest, and for the root of the driver's own programs. */
  readonly guestRoot: readonly string[];
  readonly trustedRoot: readonly string[];
  /** The user id of the guest on the host; undefined when it is the user of this process. */
  readonly uid: number | undefined;
  readonly onClose: () => void;
}

export function createSession(parts: SessionParts): SandboxSession {
  const { launcher, holder, limits: sessionLimits, held, uid } = parts;
  /** Groups of ended commands too: memory that they left in the kernel is freed with the group. */
  const slots = new Set<Slot>();

  function start(
    command: Command,
    limits: AllLimits,
    root: readonly string[],
    capabilities: readonly string[],
  ): RunningCommand {
    const bwrap = [
      ...isolation(parts.network),
      ...capabilities.flatMap((name) => ['--cap-add', name]),
      ...root,
      ...disk(command, `${held}/disk`, limits),
      ...environment({ ...ENVIRONMENT, ...parts.environment, ...command.env }),
      '--chdir',
      command.cwd ?? WORKSPACE,
    ];
    return startCommand(command, limits, async (): Promise<Launch> => {
      const slot = await launcher.take();
      slots.add(slot);
      slot.group?.limit({ ...limits, pids: limits.pids + OWN_PROCESSES });
      const release: Release = {
        argv: [
          ...parts.filter,
          ...holder.enter,
          'bwrap',
          ...closingOptions(slot.covered),
          '--args',
          '4',
          '--',
          ...command.argv,
        ],
        options: Buffer.from(bwrap.map((option) => `${option}\0`).join('')),
        rlimits: {
          fileBytes: limits.fileBytes,
          stackBytes: limits.memoryBytes,
          // A second more: the group's count decides; this limit holds when the node does not
          // check.
          cpuSeconds: limits.cpuMs / 1000 + 1,
          openFiles: OPEN_FILES,
        },
        uid,
      };
      return {
        slot,
        begin: () => slot.release(release),
        status: () => statusOf(slot),
        empty: () => emptied(slot),
        signal: (signal) => signalProgram(programIn(slot), signal),
      };
    });
  }

  /**
   * Runs a program of the driver in a sandbox over the workspace, as its owner, whatever the modes
   * of files.
   */
  function trusted(
    argv: readonly string[],
    workspace: Command['workspace'],
    stdin?: Uint8Array,
  ): RunningCommand {
    const limits = {
      ...sessionLimits,
      cpuMs: Infinity,
      wallMs: TRUSTED_WALL_MS,
      outputBytes: Infinity,
      memoryBytes: TRUSTED_MEMORY_BYTES + sessionLimits.diskBytes,
      pids: 16,
      fileBytes: Infinity,
    };
    return start({ argv, workspace, cwd: WORKSPACE, stdin }, limits, parts.trustedRoot, [
      'CAP_DAC_OVERRIDE',
      'CAP_FOWNER',
    ]);
  }

  return sessionOf({
    workspace: WORKSPACE,
    limits: sessionLimits,
    start: (command, limits) => start(command, limits, parts.guestRoot, []),
    program: trusted,
    async end() {
      await Promise.allSettled([...slots].map((slot) => slot.remove()));
      await holder.close();
      parts.onClose();
    },
  });
}

/** bubblewrap closes the descriptors from which it has read options, and these have no options. */
export function closingOptions(descriptors: readonly number[]): string[] {
  return descriptors.flatMap((fd) => ['--args', String(fd)]);
}

function isolation(network: NetworkPolicy): string[] {
  return [
    '--unshare-user',
    '--unshare-ipc',
    '--unshare-pid',
    '--unshare-uts',
    '--unshare-cgroup',
    ...(network === 'none' ? ['--unshare-net'] : []),
    '--uid',
    '65534',
    '--gid',
    '65534',
    '--hostname',
    'sandbox',
    '--die-with-parent',
    '--cap-drop',
    'ALL',
    '--clearenv',
    '--json-status-fd',
    '3',
    '--seccomp',
    '5',
  ];
}

/** The workspace and /tmp. Commands that may write share a /tmp on the session's disk; others get a clean one. */
function disk({ workspace }: Command, at: string, { diskBytes }: AllLimits): string[] {
  const own =
    workspace === 'writable'
      ? ['--bind', `${at}/workspace`, WORKSPACE, '--bind', `${at}/tmp`, '/tmp']
      : [
          '--ro-bind',
          `${at}/workspace`,
          WORKSPACE,
          '--perms',
          '0700',
          '--size',
          String(diskBytes),
          '--tmpfs',
          '/tmp',
        ];
  return [...own, '--remount-ro', '/'];
}

function environment(variables: Readonly<Record<string, string>>): string[] {
  return Object.entries(variables).flatMap(([name, value]) => ['--setenv', name, value]);
}

/**
 * Reads bubblewrap's messages until the command is dead. @throws Error when it could not make the
 * sandbox.
 */
async function statusOf(slot: Slot): Promise<number> {
  const complaint = firstOf(slot.stderr);
  let status: number | undefined;
  for (let line = await slot.status.next(); line !== undefined; line = await slot.status.next()) {
    const report = readJson(line, JSON_BOUNDS.frame) as { 'exit-code'?: number };
    status ??= report['exit-code'];
  }
  if (status !== undefined) return status;
  // Either the monitor itself was killed, or the program never ran.
  const own = await slot.exitStatus();
  if (own > 128) return own;
  const message = complaint();
  // The status of a shell when it does not find a program, or may not execute it.
  if (/^bwrap: execvp .*: No such file/.test(message)) return 127;
  if (message.startsWith('bwrap: execvp ')) return 126;
  throw new Error(`bubblewrap made no sandbox: ${message.trim() || `status ${own}`}`);
}

/** The beginning of a stream that another reader consumes. */
function firstOf(stream: Readable): () => string {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    if (text.length < 1000) text += chunk.toString('latin1');
  });
  return () => text;
}

/** The program is process 2 of its name space: 1 is bubblewrap's. */
function programIn({ group }: Slot): number | undefined {
  return group?.processes().find((pid) => {
    try {
      return /^NSpid:.*\t2$/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
    } catch {
      return false;
    }
  });
}
