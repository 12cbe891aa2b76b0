/** Turns a program's files into something that runs, inside a sandbox session. */
import type { Ending, Limits, SandboxSession } from '@skein/sandbox';
import type { Language, Place } from '../languages/language.ts';
import { isSource } from '../languages/language.ts';
import { detectLanguage, languageOf } from '../languages/languages.ts';
import type { ProgramFile } from '../package/problem.ts';
import type { JudgeSandbox } from './judge-sandbox.ts';
import { mebibytes, seconds } from './verdict.ts';

export interface BuildLimits {
  readonly wallMs: number;
  readonly memoryBytes: number;
}

/** A program that lies built in a session. */
export interface Built {
  readonly language: string;
  readonly entry: string;
  /** argv of a run with this much memory. @param root absolute path of the built files in the guest. */
  argv(root: string, memoryBytes: number): readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly pids: number;
  /** Compiler's messages, cut short. */
  readonly output: string;
  readonly ending: Ending | undefined;
}

export interface BuildFailure {
  /** For the author of the program. */
  readonly failed: string;
  readonly language: string | undefined;
  /** The language or its toolchain is missing here; another judge may build the program. */
  readonly missing?: true;
}

export interface Source {
  readonly files: readonly ProgramFile[];
  readonly language?: string | undefined;
  readonly entryPoint?: string | undefined;
}

/** Compilers start assemblers and linkers, and their runtimes start threads. */
const COMPILER_PIDS = 256;
const MAX_MESSAGE = 16_384;

export function isFailure(built: Built | BuildFailure): built is BuildFailure {
  return 'failed' in built;
}

/** The language of the source, or why it cannot be run here. */
export function resolveLanguage(source: Source, sandbox: JudgeSandbox): Language | BuildFailure {
  const found =
    source.language === undefined ? detectLanguage(source.files) : languageOf(source.language);
  if (found === undefined) {
    return {
      failed: `the judge does not know the language ${source.language}`,
      language: undefined,
      missing: true,
    };
  }
  if ('problem' in found) {
    const failed = { failed: found.problem, language: undefined };
    return found.unknown ? { ...failed, missing: true } : failed;
  }
  const toolchain = sandbox.toolchains.get(found.code);
  if (toolchain?.available !== true) {
    const lacking = `the sandbox has no toolchain for it (Debian package ${toolchain?.debianPackage ?? found.name})`;
    const failed = `${found.name} cannot be run here: ${lacking}`;
    return { failed, language: found.code, missing: true };
  }
  return found;
}

/**
 * Writes the files below `folder` of the workspace and compiles them there. An error of the author
 * is returned as a failure; only a fault of the sandbox is thrown.
 */
export async function buildProgram(
  session: SandboxSession,
  source: Source,
  folder: string,
  sandbox: JudgeSandbox,
  limits: BuildLimits,
): Promise<Built | BuildFailure> {
  const language = resolveLanguage(source, sandbox);
  if ('failed' in language) return language;
  const start = language.entry(source.files, source.entryPoint);
  if ('problem' in start) return { failed: start.problem, language: language.code };
  const files = start.files ?? source.files;
  await putBelow(session, folder, files);

  const root = `${session.workspace}/${folder}`;
  const { cache } = language;
  const env = {
    ...language.env,
    ...(cache !== undefined && sandbox.caches.has(language.code)
      ? { [cache.variable]: cache.target }
      : {}),
  };
  const place: Pick<Place, 'entry' | 'sources'> = {
    entry: start.entry,
    sources: files.map((file) => file.path).filter((path) => isSource(path, language)),
  };
  const argv = (at: string, memoryBytes: number): readonly string[] => {
    const stackBytes = sandbox.bigStacks ? memoryBytes : undefined;
    const command = language.run({ ...place, folder: at, memoryBytes, stackBytes });
    // Deep recursion may use as much stack as there is memory, as contestants expect.
    return stackBytes === undefined ? command : ['prlimit', `--stack=${stackBytes}:`, ...command];
  };
  const built = { language: language.code, entry: start.entry, argv, env, pids: language.pids };
  if (language.compile === undefined) return { ...built, output: '', ending: undefined };

  const result = await session.run({
    argv: language.compile({
      ...place,
      folder: root,
      memoryBytes: limits.memoryBytes,
      stackBytes: undefined,
    }),
    cwd: root,
    env,
    workspace: 'writable',
    limits: compileLimits(limits),
  });
  const output = messageOf(result.stdout, result.stderr, `${root}/`);
  if (result.endedBy === 'exit' && result.exitCode === 0)
    return { ...built, output, ending: result };
  return {
    failed: `${compileFailure(result, limits)}${output === '' ? '' : `\n${output}`}`,
    language: language.code,
  };
}

export async function putBelow(
  session: SandboxSession,
  folder: string,
  files: readonly ProgramFile[],
): Promise<void> {
  await session.put(files.map((file) => ({ ...file, path: `${folder}/${file.path}` })));
}

export function compileLimits(limits: BuildLimits): Partial<Limits> {
  return {
    wallMs: limits.wallMs,
    memoryBytes: limits.memoryBytes,
    pids: COMPILER_PIDS,
    outputBytes: 2 ** 20,
  };
}

function compileFailure(ending: Ending, limits: BuildLimits): string {
  switch (ending.endedBy) {
    case 'exit':
      return `the compiler ended with status ${ending.exitCode}`;
    case 'signal':
      return `the compiler was ended by ${ending.signal}`;
    case 'wall-limit':
    case 'cpu-limit':
      return `the compiler took longer than ${seconds(limits.wallMs)}`;
    case 'out-of-memory':
      return `the compiler needed more than ${mebibytes(limits.memoryBytes)} MiB of memory`;
    case 'output-limit':
      return 'the compiler wrote too much';
    case 'killed':
      return 'the compiler was stopped from outside';
  }
}

/** Messages of a compiler, without the guest's paths. */
function messageOf(stdout: Uint8Array, stderr: Uint8Array, root: string): string {
  const text = new TextDecoder()
    .decode(Buffer.concat([stderr, stdout]))
    .replaceAll(root, '')
    // Spaces at the beginning align what follows.
    .replace(/^\n+/, '')
    .trimEnd();
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}\n…` : text;
}
