/**
 * Where a submission is compiled and run: one sandbox session for all of its tests, whose file system
 * no test can change.
 *
 * A run that needs a file system of its own (files next to the program, permission to write, or a pass
 * that must remember nothing of the one before) gets a fresh session with a copy of what was built.
 * That costs an opening per run and buys that nothing leaks from one run into the next.
 */
import type { Limits, SandboxSession } from '@skein/sandbox';
import type { Problem, ProgramFile } from '../package/problem.ts';
import { type Built, putBelow } from './build.ts';
import { collectFiles } from './collect.ts';
import type { JudgeSandbox } from './judge-sandbox.ts';
import { commandLimits } from './limits.ts';
import type { RunLimits } from './verdict.ts';

/** Folder of the workspace with what was submitted and built; where it runs. */
export const SOLUTION_FOLDER = 'program';
/** Largest size of all built files together. */
const MAX_BUILT_BYTES = 256 * 2 ** 20;

export interface RunRequest {
  readonly args: readonly string[];
  readonly files: readonly ProgramFile[];
  readonly stdin: Uint8Array | 'pipe';
}

/** The session that a submission is compiled and run in, with its limits. */
export interface SolutionSession {
  readonly problem: Problem;
  readonly sandbox: JudgeSandbox;
  readonly session: SandboxSession;
  readonly sessionLimits: Limits;
  readonly limits: RunLimits;
  readonly built: Built;
}

/** @returns starts a run; `leave` is for after its end. */
export function solutionRuns({
  problem,
  sandbox,
  session: shared,
  sessionLimits,
  limits,
  built,
}: SolutionSession) {
  const { allowFileWriting, type } = problem;
  let copy: ProgramFile[] | undefined;

  async function freshSession(files: readonly ProgramFile[]): Promise<SandboxSession> {
    copy ??= await copyBuilt(shared);
    const session = await sandbox.open(sessionLimits);
    try {
      await session.put(copy);
      if (files.length > 0) await putBelow(session, SOLUTION_FOLDER, files);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  return async ({ args, files, stdin }: RunRequest) => {
    const alone = allowFileWriting || type.multiPass || files.length > 0;
    const session = alone ? await freshSession(files) : shared;
    const root = `${session.workspace}/${SOLUTION_FOLDER}`;
    const running = session.start({
      argv: [...built.argv(root, limits.memoryBytes), ...args],
      env: built.env,
      cwd: root,
      workspace: allowFileWriting ? 'writable' : 'read-only',
      limits: commandLimits(limits, built.pids),
      stdin,
    });
    return { running, leave: async () => (alone ? session.close() : undefined) };
  };
}

async function copyBuilt(session: SandboxSession): Promise<ProgramFile[]> {
  const files = await collectFiles(session, [SOLUTION_FOLDER], MAX_BUILT_BYTES);
  // Modes do not come out of a guest; a script that is executable does no harm.
  return [...files].map(([path, content]) => ({ path, content, executable: true }));
}
