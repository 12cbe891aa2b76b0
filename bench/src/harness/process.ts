/** A server under test, in a process of its own, and its end by process id. */
import { spawn, type ChildProcess } from 'node:child_process';

export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  /** Milliseconds from spawn to the first ready answer. */
  readonly startMs: number;
  readonly stop: () => Promise<void>;
  /** Does the same as `stop` without its drain: for a server whose files are removed next. */
  readonly kill: () => Promise<void>;
}

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly url: string;
  /** Path that answers 200 once the server is ready. */
  readonly readyPath: string;
}

const START_LIMIT_MS = 30_000;

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  const force = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(force);
}

/** @throws Error with the end of the server's own output when it does not become ready in 30 s. */
export async function launch(options: Launch): Promise<ServerProcess> {
  const begun = performance.now();
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let tail = '';
  const keep = (chunk: Buffer): void => {
    tail = (tail + chunk.toString()).slice(-2000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  while (!(await answers(options.url + options.readyPath))) {
    if (child.exitCode !== null || performance.now() - begun > START_LIMIT_MS) {
      await end(child, 'SIGTERM');
      throw new Error(`${options.command} did not become ready at ${options.url}: ${tail}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return {
    url: options.url,
    pid: child.pid ?? 0,
    startMs: performance.now() - begun,
    stop: () => end(child, 'SIGTERM'),
    kill: () => end(child, 'SIGKILL'),
  };
}
