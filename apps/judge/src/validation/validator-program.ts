/**
 * Builds the programs of a package (validators, graders): by their `build` and `run` scripts, or by
 * their language. Each is built once per sandbox and kept in memory, ready to be put into a session.
 */
import type { SandboxSession } from '@skein/sandbox';
import {
  type Built,
  buildProgram,
  compileLimits,
  isFailure,
  putBelow,
  resolveLanguage,
} from '../judging/build.ts';
import { collectFiles } from '../judging/collect.ts';
import { JudgeFault } from '../judging/judge-fault.ts';
import type { JudgeSandbox } from '../judging/judge-sandbox.ts';
import type { Problem, Program, ProgramFile } from '../package/problem.ts';
import { type InputChecker, inputChecker } from './input-checkers.ts';

/** A program of a package, built: files to put below a folder, and how to run them there. */
export interface ValidatorProgram extends Pick<Built, 'argv' | 'env'> {
  readonly files: readonly ProgramFile[];
}

const FOLDER = 'program';
const MAX_BUILT_BYTES = 256 * 2 ** 20;

const cache = new WeakMap<JudgeSandbox, WeakMap<Program, Promise<ValidatorProgram>>>();

/** @throws JudgeFault with the compiler's messages. */
export function packageProgram(
  program: Program,
  problem: Problem,
  sandbox: JudgeSandbox,
): Promise<ValidatorProgram> {
  const programs = cache.get(sandbox) ?? new WeakMap<Program, Promise<ValidatorProgram>>();
  cache.set(sandbox, programs);
  const known = programs.get(program);
  if (known !== undefined) return known;
  const building = build(program, problem, sandbox);
  programs.set(program, building);
  // A failed build may succeed later: an unreachable sandbox is not a fault of the program.
  building.catch(() => programs.delete(program));
  return building;
}

async function build(
  program: Program,
  problem: Problem,
  sandbox: JudgeSandbox,
): Promise<ValidatorProgram> {
  const { compilationMs, compilationMemoryBytes } = problem.limits;
  const session = await sandbox.open({
    wallMs: compilationMs,
    memoryBytes: compilationMemoryBytes,
    pids: 256,
    outputBytes: 2 ** 20,
    fileBytes: MAX_BUILT_BYTES,
    diskBytes: MAX_BUILT_BYTES,
  });
  try {
    const run = await buildIn(session, program, problem, sandbox);
    const built = await collectFiles(session, [FOLDER], MAX_BUILT_BYTES);
    const files = [...built].map(([path, content]) => ({
      path: path.slice(FOLDER.length + 1),
      content,
      // Modes do not come out of a guest.
      executable: true,
    }));
    return { ...run, files };
  } finally {
    await session.close();
  }
}

async function buildIn(
  session: SandboxSession,
  program: Program,
  problem: Problem,
  sandbox: JudgeSandbox,
): Promise<Pick<Built, 'argv' | 'env'>> {
  const folder = FOLDER;
  const limits = {
    wallMs: problem.limits.compilationMs,
    memoryBytes: problem.limits.compilationMemoryBytes,
  };
  const names = scriptsOf(program);
  if (names.size === 0) {
    const found = inputChecker(program);
    if (found !== undefined) {
      const { checker, script } = found;
      const tool = sandbox.inputTools.get(checker.tool);
      if (tool === undefined) throw new JudgeFault(`${program.name}: ${missingTool(checker)}`);
      await putBelow(session, folder, program.files);
      return { argv: (at) => checker.argv(tool, `${at}/${script}`), env: {} };
    }
    const built = await buildProgram(session, program, folder, sandbox, limits);
    if (isFailure(built)) throw new JudgeFault(`${program.name} does not build: ${built.failed}`);
    return built;
  }
  // Archives made on other systems lose the mode of the two scripts.
  const files = program.files.map((file) =>
    names.has(file.path) ? { ...file, executable: true } : file,
  );
  await putBelow(session, folder, files);
  const root = `${session.workspace}/${folder}`;
  if (names.has('build')) {
    const result = await session.run({
      argv: [`${root}/build`],
      cwd: root,
      workspace: 'writable',
      limits: compileLimits(limits),
    });
    if (result.endedBy !== 'exit' || result.exitCode !== 0) {
      const message = new TextDecoder().decode(result.stderr).slice(0, 4096);
      throw new JudgeFault(
        `${program.name}/build ended with ${result.exitCode ?? result.signal}: ${message}`,
      );
    }
  }
  return { argv: (at) => [`${at}/run`], env: {} };
}

/** Why the program cannot be run in this sandbox; undefined when it can be built. */
export function whyNotRunnable(program: Program, sandbox: JudgeSandbox): string | undefined {
  if (scriptsOf(program).size > 0) return undefined;
  const checker = inputChecker(program)?.checker;
  if (checker !== undefined) {
    return sandbox.inputTools.has(checker.tool) ? undefined : missingTool(checker);
  }
  const language = resolveLanguage(program, sandbox);
  return 'failed' in language && language.missing === true ? language.failed : undefined;
}

/** The scripts that take precedence over the other files: `build` and `run`. */
function scriptsOf({ files }: Program): ReadonlySet<string> {
  return new Set(
    files.map(({ path }) => path).filter((path) => path === 'build' || path === 'run'),
  );
}

function missingTool({ name, tool }: InputChecker): string {
  return `the sandbox has no command ${tool}, which runs ${name} files`;
}
