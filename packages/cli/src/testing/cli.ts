/** Runs the real command in a process of its own, for tests. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../main.ts');
const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
const FROM_THE_RUNNER = { PATH, HOME, NODE_COMPILE_CACHE };

export interface CliOutcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The program and its first arguments; default: this Node and main.ts. */
  readonly program?: readonly [string, ...string[]];
  /** A command that starts it elsewhere, such as in a namespace, and becomes it. */
  readonly within?: readonly string[];
}

export interface CliProcess {
  readonly process: ChildProcess;
  /** Output so far. */
  readonly output: { stdout: string; stderr: string };
  readonly ended: Promise<CliOutcome>;
  /** Resolves when stdout or stderr matches; rejects when the process ends before. */
  saw(pattern: RegExp): Promise<void>;
}

export function startCli(args: readonly string[], options: CliOptions): CliProcess {
  const program = options.program ?? [process.execPath, MAIN];
  const [command, ...words] = [...(options.within ?? []), ...program, ...args];
  const child = spawn(command!, words, {
    cwd: options.cwd,
    env: { ...FROM_THE_RUNNER, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  const waiting: { pattern: RegExp; resolve: () => void; reject: (error: Error) => void }[] = [];
  const look = (): void => {
    for (const each of waiting) {
      if (each.pattern.test(output.stdout) || each.pattern.test(output.stderr)) each.resolve();
    }
  };
  child.stdout.on('data', (chunk: Buffer) => {
    output.stdout += chunk.toString();
    look();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output.stderr += chunk.toString();
    look();
  });
  const ended = new Promise<CliOutcome>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      for (const each of waiting) {
        each.reject(new Error(`it ended with ${code}:\n${output.stdout}\n${output.stderr}`));
      }
      resolve({ code, ...output });
    });
  });
  return {
    process: child,
    output,
    ended,
    saw: (pattern) =>
      new Promise((resolve, reject) => {
        waiting.push({ pattern, resolve, reject });
        look();
      }),
  };
}

export function runCli(args: readonly string[], options: CliOptions): Promise<CliOutcome> {
  return startCli(args, options).ended;
}
