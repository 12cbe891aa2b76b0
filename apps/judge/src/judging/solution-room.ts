/**
 * Where a submission is compiled and run: one sandbox session for all of its tests, whose file system
 * no test can change.
 *
 * A run that needs a file system of its own (files beside the program, permission to write, or a pass
 * that must remember nothing of the one before) gets a fresh session with a copy of what was built.
 * That costs an opening per run and buys that nothing leaks from one run into the next.
 */
import type { Limits, RunningCommand, SandboxSession } from '@skein/sandbox';
import type { Problem, ProgramFile } from '../package/problem.ts';
import { type Built, putBelow } from './build.ts';
import { collectFiles } from './collect.ts';
import type { JudgeSandbox } from './judge-sandbox.ts';
import { commandLimits } from './limits.ts';
import type { RunLimits } from './verdict.ts';

/** Folder of the workspace with what was submitted and built; where it runs. */
export const SOLUTION_FOLDER = 'program';
/** What was built may be this large in all. */
const MAX_BUILT_BYTES = 256 * 2 ** 20;

export interface SolutionRun {
  readonly running: RunningCommand;
  /** After the run has ended. */
  leave(): Promise<void>;
}

export interface RunRequest {
  readonly args: readonly string[];
  readonly files: readonly ProgramFile[];
  readonly stdin: Uint8Array | 'pipe';
}

export class SolutionRoom {
  readonly #problem: Problem;
  readonly #sandbox: JudgeSandbox;
  readonly #session: SandboxSession;
  readonly #sessionLimits: Limits;
  readonly #limits: RunLimits;
  readonly #built: Built;
  #copy: ProgramFile[] | undefined;

  constructor(room: {
    problem: Problem;
    sandbox: JudgeSandbox;
    session: SandboxSession;
    sessionLimits: Limits;
    limits: RunLimits;
    built: Built;
  }) {
    this.#problem = room.problem;
    this.#sandbox = room.sandbox;
    this.#session = room.session;
    this.#sessionLimits = room.sessionLimits;
    this.#limits = room.limits;
    this.#built = room.built;
  }

  async start(request: RunRequest): Promise<SolutionRun> {
    const { allowFileWriting, type } = this.#problem;
    const alone = allowFileWriting || type.multiPass || request.files.length > 0;
    const session = alone ? await this.#freshSession(request.files) : this.#session;
    const root = `${session.workspace}/${SOLUTION_FOLDER}`;
    const running = session.start({
      argv: [...this.#built.argv(root, this.#limits.memoryBytes), ...request.args],
      env: this.#built.env,
      cwd: root,
      workspace: allowFileWriting ? 'writable' : 'read-only',
      limits: commandLimits(this.#limits, this.#built.pids),
      stdin: request.stdin,
    });
    return { running, leave: async () => (alone ? session.close() : undefined) };
  }

  async #freshSession(files: readonly ProgramFile[]): Promise<SandboxSession> {
    this.#copy ??= await this.#copyBuilt();
    const session = await this.#sandbox.open(this.#sessionLimits);
    try {
      await session.put(this.#copy);
      if (files.length > 0) await putBelow(session, SOLUTION_FOLDER, files);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  async #copyBuilt(): Promise<ProgramFile[]> {
    const files = await collectFiles(this.#session, [SOLUTION_FOLDER], MAX_BUILT_BYTES);
    // Modes do not come out of a guest; a script that is executable does no harm.
    return [...files].map(([path, content]) => ({ path, content, executable: true }));
  }
}
