/** The service and its workers in separate processes, which a test can kill. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { JudgeDriver } from '../judging/drivers.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

export interface JudgeProcess extends AsyncDisposable {
  /** First line of the command's output after it has opened. */
  readonly started: Readonly<Record<string, unknown>>;
  /** Its log so far, one JSON object per line. */
  log(): string;
  /** SIGKILL; resolves when the process has exited. */
  kill(): Promise<void>;
}

/** Kills processes that a failed or timed out test has left. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** `skein-judge worker`. Resolves when it is open for work. */
export function startWorkerProcess(
  name: string,
  { redis, blobs }: { readonly redis: string; readonly blobs: string },
  driver: JudgeDriver = 'bubblewrap',
): Promise<JudgeProcess> {
  const args = ['--redis', redis, '--blobs', blobs, '--driver', driver, '--workers', '1'];
  return startJudgeProcess(['worker', ...args, '--name', name, '--lease', '2']);
}

/** `skein-judge` with these arguments. Resolves when it is open. */
export async function startJudgeProcess(args: readonly string[]): Promise<JudgeProcess> {
  const child = spawn(process.execPath, [MAIN, ...args, '--log', 'json', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const opened = once(child.stdout, 'data') as Promise<[Buffer]>;
  const gone = once(child, 'exit');
  const [line] = await Promise.race([
    opened,
    gone.then((): never => {
      throw new Error(`${args[0]} ended before it was open: ${log}`);
    }),
  ]);

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await gone;
    }
  }
  return {
    started: JSON.parse(line.toString()) as JudgeProcess['started'],
    log: () => log,
    kill: () => end('SIGKILL'),
    [Symbol.asyncDispose]: () => end('SIGTERM'),
  };
}
