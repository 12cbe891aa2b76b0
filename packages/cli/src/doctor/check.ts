/** The result of a check of the machine. */
import { spawn } from 'node:child_process';

export interface Finding {
  readonly name: string;
  /**
   * `ok`: works. `missing`: not installed, and not needed to serve on a CPU. `broken`: installed or
   * needed, and does not work.
   */
  readonly status: 'ok' | 'missing' | 'broken';
  /** Whether Skein cannot serve without it. */
  readonly needed: boolean;
  /** The finding, or the failure. */
  readonly detail: string;
  /** A command for this system; present unless ok. */
  readonly fix?: string | undefined;
}

export interface CheckContext {
  readonly dataFolder: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type Check = (context: CheckContext) => Promise<Finding>;

type Found = Pick<Finding, 'status' | 'detail' | 'fix'>;

export function check(
  name: string,
  needed: boolean,
  find: (context: CheckContext) => Found | Promise<Found>,
): Check {
  return async (context) => {
    const { status, ...more } = await find(context);
    return { name, status, needed, ...more };
  };
}

export const ok = (detail: string): Found => ({ status: 'ok', detail });

export const missing = (detail: string, fix: string): Found => ({ status: 'missing', detail, fix });

export const broken = (detail: string, fix: string): Found => ({ status: 'broken', detail, fix });

export interface Outcome {
  /** Absent when the program could not be started, or was ended by a signal. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether the program is not installed. */
  readonly absent: boolean;
}

/** Runs a program to its end, for at most ten seconds. Never throws. */
export function tryProgram(program: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 10_000 });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ code: undefined, stdout, stderr: error.message, absent: error.code === 'ENOENT' });
    });
    child.on('close', (code) => {
      resolve({ code: code ?? undefined, stdout, stderr, absent: false });
    });
  });
}

/** The first line that is not empty. */
export function firstLine(text: string): string {
  return (
    text
      .split('\n')
      .find((line) => line.trim() !== '')
      ?.trim() ?? ''
  );
}
