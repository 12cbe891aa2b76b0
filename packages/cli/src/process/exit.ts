/**
 * Ends the process, whatever its threads do. `process.exit()` waits for every worker thread, and
 * never returns when a thread is in native code that does not return. The process is then killed in
 * a way that keeps the exit code.
 */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { livingThreads } from '@skein/runtime/living-threads';

const SHELL = '/bin/sh';

let lateAt = Infinity;

export function exit(code: number): never {
  // In a late command any thread may be blocked, not only the threads of models.
  if (livingThreads() > 0 || performance.now() > lateAt) {
    process.exitCode = code;
    // Exit listeners flush the buffers.
    process.emit('exit', code);
    leave(code);
  }
  process.exit(code);
}

/**
 * Replaces the process image by a shell that exits with this code: that ends blocked threads. Where
 * the image cannot be replaced the process is killed, which loses the code.
 */
function leave(code: number): never {
  const { execve } = process as { execve?: (file: string, args: string[], env: object) => never };
  if (execve !== undefined && process.platform !== 'win32') {
    // A shell starts in a millisecond, Node in fifty.
    if (existsSync(SHELL)) execve.call(process, SHELL, [SHELL, '-c', `exit ${code}`], {});
    execve.call(process, process.execPath, [process.execPath, '-e', `process.exit(${code})`], {});
  }
  process.kill(process.pid, 'SIGKILL');
  throw new Error('The process could not be ended.');
}

/** Milliseconds after the grace period at which the process is killed. */
const OVERTIME_MS = 900;

/**
 * Limits the time until the process ends: it is killed when it still exists a little later, even
 * when its event loop is blocked.
 * @param graceMs from now.
 */
export function mustEndWithin(graceMs: number): void {
  lateAt = performance.now() + graceMs;
  const ms = graceMs + OVERTIME_MS;
  const code = `setTimeout(() => process.kill(${process.pid}, 'SIGKILL'), ${Math.ceil(ms)})`;
  new Worker(code, {
    eval: true,
    name: 'deadline',
    execArgv: [],
    stdout: false,
    stderr: false,
  }).unref();
}
