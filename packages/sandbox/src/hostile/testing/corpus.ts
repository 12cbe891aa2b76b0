/**
 * The hostile corpus: programs that must run in a sandbox only. The first comment of each describes what
 * it does and how it must end.
 *
 *     // expect: out-of-memory held     one of these endings; `held` is an exit with 0: every attempt
 *                                       of the program failed; `exit N` is an exit with N
 *     // after: put a; collect b !      what the host does next in its workspace; `!`: must be refused,
 *                                     `?`: may be
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import type { Ending, Limits } from '../../contract.ts';

const FOLDER = join(import.meta.dirname, '../corpus');
const MIB = 1024 * 1024;

/** Bounds of every program; a loaded machine must not reach the time limits by accident. */
export const LIMITS: Limits = {
  cpuMs: 10_000,
  wallMs: 30_000,
  memoryBytes: 64 * MIB,
  pids: 48,
  outputBytes: MIB / 4,
  fileBytes: 8 * MIB,
  diskBytes: 32 * MIB,
};

export interface HostileProgram {
  readonly name: string;
  /** In words. */
  readonly what: string;
  /** The accepted endings, as `endedBy`, `held` or `exit N`. */
  readonly expect: readonly string[];
  readonly after: readonly HostAction[];
  readonly limits: Partial<Limits>;
  /** The file that is put into the workspace, and the command that runs it. */
  readonly content: Uint8Array;
  readonly argv: readonly string[];
}

/** The action of the host on a path of the workspace after the program. */
export interface HostAction {
  readonly kind: 'put' | 'collect';
  readonly path: string;
  /** Undefined when the action may succeed or be refused, as long as no canary changes. */
  readonly refused: boolean | undefined;
}

/** The ending in the terms of the corpus. */
export function endingOf(ending: Ending, program: HostileProgram): string {
  if (ending.endedBy !== 'exit') return ending.endedBy;
  const exit = `exit ${ending.exitCode}`;
  return ending.exitCode === 0 && !program.expect.includes(exit) ? 'held' : exit;
}

export function describeEnding({ endedBy, exitCode, signal, usage }: Ending): string {
  return JSON.stringify({ endedBy, exitCode, signal, usage });
}

/** Reads the corpus and compiles the C programs into static ones, which run in any root. */
export function readCorpus(): HostileProgram[] {
  const built = mkdtempSync(join(tmpdir(), 'skein-hostile-'));
  try {
    return readdirSync(FOLDER)
      .filter((file) => extname(file) !== '.h')
      .toSorted()
      .map((file) => readProgram(file, built));
  } finally {
    rmSync(built, { recursive: true, force: true });
  }
}

function readProgram(file: string, built: string): HostileProgram {
  const source = readFileSync(join(FOLDER, file), 'utf8');
  const header = readHeader(source);
  const field = (name: string): string | undefined => header.find(([key]) => key === name)?.[1];
  const expect = expectations(field('expect') ?? '');
  return {
    name: file,
    what: header
      .filter(([key]) => key === '')
      .map(([, line]) => line)
      .join(' '),
    expect,
    after: (field('after') ?? '').split(';').filter(Boolean).map(readAction),
    limits: timeLimits(expect),
    ...(extname(file) === '.c'
      ? { content: compile(file, built), argv: ['./program'] }
      : {
          content: Buffer.from(source),
          argv: [extname(file) === '.py' ? 'python3' : 'sh', 'program'],
        }),
  };
}

/** The lines of the first comment, as pairs of key and value; prose has no key. */
function readHeader(source: string): [key: string, value: string][] {
  const pairs: [string, string][] = [];
  for (const line of source.split('\n')) {
    const text = /^(?:\/\/|#) (.*)$/.exec(line)?.[1];
    if (text === undefined) break;
    const [, key, value] = /^(expect|after): (.*)$/.exec(text) ?? [];
    pairs.push(key === undefined ? ['', text] : [key, value ?? '']);
  }
  return pairs;
}

function expectations(text: string): string[] {
  const exit = /^exit \d+$/.exec(text);
  return exit === null ? text.split(' ') : [text];
}

function readAction(text: string): HostAction {
  const [kind, path, mark] = text.trim().split(' ');
  if ((kind !== 'put' && kind !== 'collect') || path === undefined)
    throw new Error(`no action: ${text}`);
  return { kind, path, refused: mark === '?' ? undefined : mark === '!' };
}

/** A program that is to reach a time limit gets a short one. */
function timeLimits(expect: readonly string[]): Partial<Limits> {
  const patient = expect.includes('held');
  return {
    ...(expect.includes('cpu-limit') ? { cpuMs: patient ? 2_000 : 300 } : {}),
    ...(expect.includes('wall-limit')
      ? { wallMs: expect.includes('cpu-limit') ? 1_500 : 300 }
      : {}),
  };
}

function compile(file: string, built: string): Uint8Array {
  mkdirSync(built, { recursive: true });
  const program = join(built, file.replace(/\.c$/, ''));
  execFileSync('gcc', ['-O1', '-static', '-pthread', '-w', '-o', program, join(FOLDER, file)]);
  return readFileSync(program);
}
