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
  // Of a command that is late any thread may be held, not only those of models.
  if (livingThreads() > 0 || performance.now() > lateAt) {
    process.exitCode = code;
    // Exit listeners flush the buffers.
    process.emit('exit', code);
    leave(code);
  }
  process.exit(code);
}

/**
 * Becomes a process that does nothing but end with this code: replacing the image is what ends
 * threads that cannot be asked. Where that cannot be done the process is killed, which loses the code.
 */
function leave(code: number): never {
  const { execve } = process as { execve?: (file: string, args: string[], env: object) => never };
  if (execve !== undefined && process.platform !== 'win32') {
    // A shell is there in a millisecond, Node in fifty.
    if (existsSync(SHELL)) execve.call(process, SHELL, [SHELL, '-c', `exit ${code}`], {});
    execve.call(process, process.execPath, [process.execPath, '-e', `process.exit(${code})`], {});
  }
  process.kill(process.pid, 'SIGKILL');
  throw new Error('The process could not be ended.');
}

/** Milliseconds after the grace period at which the process is killed. */
const OVERTIME_MS = 900;

/**
 * Holds the process to a time: it is killed when it still exists a little later, even when its event
 * loop stands still.
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
