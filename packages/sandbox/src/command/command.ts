/** A command from its start to its end, for the drivers that launch one process for each. */
import { PassThrough, Readable, pipeline, type Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { SkeinError } from '@skein/api';
import type { Command, Ending, RunningCommand } from '../contract.ts';
import type { Slot } from '../launcher/slot.ts';
import { isRecord, type AllLimits } from './limits.ts';
import { inPlainWords } from './plain-refusal.ts';
import { Supervision, type Supervised } from './supervision.ts';

/** A started command: the parked process, and the program that it becomes. */
export interface Launch {
  readonly slot: Supervised & Pick<Slot, 'stdin' | 'remove'>;
  /** Lets the parked process become the program. */
  begin(): void;
  /**
   * The program ended with this status, in a shell's encoding. @throws Error when there was no
   * program.
   */
  status(): Promise<number>;
  /** Kills what the program left behind; resolves when no process of it is left. */
  empty(): Promise<void>;
  /** Sends a signal to the program, when it runs. */
  signal(signal: NodeJS.Signals): void;
}

/** A shell's status for a process that SIGKILL has ended. */
const KILLED_STATUS = 128 + 9;

/** @param launch takes a slot. @throws SkeinError REQUEST_INVALID. */
export function startCommand(
  command: Command,
  limits: AllLimits,
  launch: () => Promise<Launch>,
): RunningCommand {
  checkWords(command);
  const supervision = new Supervision(limits);
  const stdin = command.stdin === 'pipe' ? new PassThrough() : undefined;
  stdin?.on('error', () => undefined);
  let launched: Launch | undefined;

  const run = async (): Promise<Ending> => {
    launched = await launch();
    const { slot } = launched;
    try {
      supervision.begin({ ...slot, stderr: inPlainWords(slot.stderr, command.argv[0]!) });
      launched.begin();
      feed(slot.stdin, stdin ?? command.stdin);
      const status = await launched.status().catch((error: unknown) => {
        // A process that is killed while its sandbox is being made leaves an error message, which
        // is not a fault.
        if (supervision.stopped) return KILLED_STATUS;
        throw error;
      });
      await launched.empty();
      return await supervision.finish(status);
    } finally {
      supervision.dispose();
      stdin?.destroy();
      slot.remove().catch(() => undefined);
    }
  };
  const ended = run();
  ended.catch(() => {
    supervision.stdout.finish();
    supervision.stderr.finish();
  });
  return {
    stdin,
    stdout: supervision.stdout,
    stderr: supervision.stderr,
    ended,
    signal(signal) {
      launched?.signal(signal);
    },
    async kill() {
      supervision.stop('killed');
      return await ended;
    },
  };
}

/** Sends a signal to a process of the host, when it is known. */
export function signalProgram(program: number | undefined, signal: NodeJS.Signals): void {
  if (program !== undefined) process.kill(program, signal);
}

/** Runs to the end and keeps at most `keepBytes` of each stream. */
export async function runToEnd(
  command: RunningCommand,
  keepBytes: number,
): Promise<Ending & { stdout: Uint8Array; stderr: Uint8Array }> {
  const [ending, stdout, stderr] = await Promise.all([
    command.ended,
    keep(command.stdout, keepBytes),
    keep(command.stderr, keepBytes),
  ]);
  return { ...ending, stdout, stderr };
}

/** The kernel's bound of one argument, with its NUL; and the bound of all arguments here. */
const ARGUMENT_BYTES = 131_072;
const ARGUMENTS_BYTES = 1 << 20;

/** Refuses arguments that no program can be started with. @throws SkeinError REQUEST_INVALID. */
export function checkWords({ argv, env = {}, cwd = '/' }: Command): void {
  const refuse = (why: string): never => {
    throw new SkeinError('REQUEST_INVALID', `The command cannot be started: ${why}`);
  };
  const isText = (word: unknown): boolean => typeof word === 'string';
  if (!Array.isArray(argv) || !argv.every(isText)) refuse('argv must be an array of texts');
  if (!isRecord(env)) refuse('env must be an object');
  if (!Object.values(env).every(isText)) refuse('each value of env must be a text');
  if (argv.length === 0 || argv[0] === '') refuse('argv names no program');
  let bytes = 0;
  for (const word of [...argv, ...Object.entries(env).map((pair) => pair.join('=')), cwd]) {
    const length = Buffer.byteLength(word) + 1;
    const shown = JSON.stringify(word.length > 100 ? `${word.slice(0, 100)}…` : word);
    if (word.includes('\0')) refuse(`${shown} has a NUL character`);
    if (length > ARGUMENT_BYTES) refuse(`${shown} is longer than ${ARGUMENT_BYTES} bytes`);
    bytes += length;
  }
  if (bytes > ARGUMENTS_BYTES) {
    refuse(`argv and env have ${bytes} bytes together; at most ${ARGUMENTS_BYTES} are possible`);
  }
  for (const name of Object.keys(env)) {
    if (name === '' || name.includes('=')) {
      refuse(`${JSON.stringify(name)} is not the name of a variable`);
    }
  }
  if (!cwd.startsWith('/')) refuse(`cwd is ${JSON.stringify(cwd)}; it must be absolute`);
}

function feed(into: Writable, from: Uint8Array | Readable | undefined | 'pipe'): void {
  if (from instanceof Readable) {
    // A program may close its stdin early: that ends the input and is not an error.
    pipeline(from, into, () => undefined);
  } else into.end(typeof from === 'string' ? undefined : from);
}

/**
 * Kills the processes in the group of a slot until none is left: its monitor is gone, and if it was
 * killed itself, its guests may still be dying.
 */
export async function emptied(slot: Slot): Promise<void> {
  for (let waited = 0; (slot.group?.processes().length ?? 0) > 0; waited++) {
    slot.kill();
    await sleep(Math.min(1 + waited, 10));
  }
}

async function keep(stream: Readable, bytes: number): Promise<Uint8Array> {
  const kept: Buffer[] = [];
  let left = bytes;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (left > 0) kept.push(chunk.subarray(0, left));
    left -= chunk.length;
  }
  return Buffer.concat(kept);
}
