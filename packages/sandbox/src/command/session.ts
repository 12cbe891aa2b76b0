/**
 * The parts of a session that are alike in each driver that launches one process for each command: it holds its
 * running commands, moves files by programs of the driver, and closes once.
 */
import { SkeinError } from '@skein/api';
import { collectFiles } from '../archive/collect.ts';
import { putFiles } from '../archive/put.ts';
import type { CollectedFile, Command, RunningCommand, SandboxSession } from '../contract.ts';
import { runToEnd } from './command.ts';
import { tightened, type AllLimits } from './limits.ts';

export interface SessionWork extends Pick<SandboxSession, 'workspace' | 'master'> {
  readonly limits: AllLimits;
  /** Starts a command of the caller. @throws SkeinError SANDBOX_UNSUPPORTED. */
  start(command: Command, limits: AllLimits): RunningCommand;
  /** Starts a program of the driver in the workspace. */
  program(
    argv: readonly string[],
    workspace: Command['workspace'],
    stdin?: Uint8Array,
  ): RunningCommand;
  /** A program that lets the archiver read what the modes of the guest's files forbid, if it needs one. */
  readonly opening?: readonly string[];
  /** Removes every trace, when all commands are dead. */
  end(): Promise<void>;
}

export function sessionOf(work: SessionWork): SandboxSession {
  const { workspace, master, limits, opening } = work;
  const running = new Set<RunningCommand>();
  let closing: Promise<void> | undefined;

  function tracked(start: () => RunningCommand): RunningCommand {
    if (closing !== undefined) {
      throw new SkeinError('SANDBOX_LOST', 'The sandbox session is closed.');
    }
    const started = start();
    running.add(started);
    const remove = (): void => void running.delete(started);
    started.ended.then(remove, remove);
    return started;
  }
  const program = (...given: Parameters<SessionWork['program']>): RunningCommand =>
    tracked(() => work.program(...given));
  const start = (command: Command): RunningCommand =>
    tracked(() => work.start(command, tightened(limits, command.limits)));
  async function killAll(): Promise<void> {
    await Promise.allSettled([...running].map((command) => command.kill()));
  }

  return {
    workspace,
    master,
    async put(files) {
      await putFiles(files, (argv, stdin) => program(argv, 'writable', stdin));
    },
    start,
    async run(command) {
      return await runToEnd(start(command), limits.outputBytes);
    },
    async *collect(paths, maxBytes): AsyncGenerator<CollectedFile> {
      await killAll();
      if (opening !== undefined) await runToEnd(program(opening, 'writable'), 0);
      yield* collectFiles(paths, maxBytes, (argv) => program(argv, 'read-only'));
    },
    async close() {
      closing ??= killAll().then(() => work.end());
      await closing;
    },
  };
}
