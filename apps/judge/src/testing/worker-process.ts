/** `skein-judge worker` in a process of its own, to be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { JudgeDriver } from '../judging/drivers.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

export interface WorkerProcess extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Its log so far, one JSON object per line. */
  log(): string;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Ends what a failed or timed out test has left behind. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Resolves when it is open for work. */
export async function startWorkerProcess(
  name: string,
  { redis, blobs }: { readonly redis: string; readonly blobs: string },
  driver: JudgeDriver = 'bubblewrap',
): Promise<WorkerProcess> {
  const args = ['--redis', redis, '--blobs', blobs, '--driver', driver, '--workers', '1'];
  const child = spawn(
    process.execPath,
    [MAIN, 'worker', ...args, '--name', name, '--lease', '2', '--log', 'json', '--json'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  running.add(child);
  child.once('exit', () => running.delete(child));
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const opened = once(child.stdout, 'data');
  const gone = once(child, 'exit');
  await Promise.race([
    opened,
    gone.then(() => {
      throw new Error(`The worker ended before it was open: ${log}`);
    }),
  ]);

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await gone;
    }
  }
  return {
    name,
    pid: child.pid ?? 0,
    log: () => log,
    kill: () => end('SIGKILL'),
    [Symbol.asyncDispose]: () => end('SIGTERM'),
  };
}
