/** A slot: one parked process with its control group and its pipes, waiting to become a command. */
import type { Readable, Writable } from 'node:stream';
import type { ControlGroup } from '../cgroup/contract.ts';
import type { Lines } from './lines.ts';

/** The program that a parked process becomes. */
export interface Release {
  /** The program and its arguments. */
  readonly argv: readonly string[];
  /** The program's input at descriptor 4. */
  readonly options?: Uint8Array;
  readonly rlimits: Rlimits;
  /** The user that may open stdin, stdout and stderr by name; default this process's user. */
  readonly uid?: number | undefined;
}

/** Limits of each single process; `Infinity` means no limit. */
export interface Rlimits {
  /** RLIMIT_FSIZE, in bytes. */
  readonly fileBytes: number;
  /** RLIMIT_STACK, in bytes. */
  readonly stackBytes: number;
  /** RLIMIT_CPU, in seconds. */
  readonly cpuSeconds: number;
  /** RLIMIT_NOFILE. */
  readonly openFiles: number;
}

export interface Slot {
  /** Process id, from the fork to the exit of the program: in the launcher's name space, and on the host. */
  readonly pid: number;
  readonly hostPid: number;
  readonly name: string;
  /** Descriptors other than its own that the program should close. */
  readonly covered: readonly number[];
  /** Undefined when there are no control groups. */
  readonly group: ControlGroup | undefined;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The program's output at descriptor 3. Ends when the program ends. */
  readonly status: Lines;
  release(release: Release): void;
  /** Exit status of the process as a shell gives it; call it once `status` has ended. */
  exitStatus(): Promise<number>;
  /** Kills the process that the slot became, and every process of its group. */
  kill(): void;
  /** Kills, waits, and removes the group. Output that was written can still be read. */
  remove(): Promise<void>;
}

/** The text that launcher.sh reads from `control`. */
export function releaseLines({ rlimits, argv }: Release): string {
  const numbers = [
    // In blocks of 512 bytes and in kibibytes: what `ulimit` counts in.
    shellNumber(rlimits.fileBytes / 512),
    shellNumber(rlimits.stackBytes / 1024),
    shellNumber(rlimits.cpuSeconds),
    shellNumber(rlimits.openFiles),
    argv.length,
  ];
  const lines = argv.map((argument) => `${argument.split('\n').length}\n${argument}\n`);
  return `${numbers.join(' ')}\n${lines.join('')}`;
}

function shellNumber(value: number): string {
  return Number.isFinite(value) ? String(Math.ceil(value)) : 'unlimited';
}
