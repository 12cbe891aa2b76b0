/**
 * The command in its process: signals, streams and the exit code. Everything else happens in
 * `run`, which tests can call without a process.
 */
import { runCommandLine } from './run.ts';

/**
 * A Ctrl-C under `npm start` arrives twice, from the terminal and forwarded by npm. Signals this
 * close together, in milliseconds, count as one.
 */
const SAME_SIGNAL_MS = 400;

export async function runProcess(): Promise<void> {
  const abort = new AbortController();
  let firstAt: number | undefined;
  const interrupt = (): void => {
    const now = performance.now();
    if (firstAt === undefined) {
      firstAt = now;
      abort.abort();
    } else if (now - firstAt > SAME_SIGNAL_MS) {
      process.exit(130);
    }
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  // `skein ls | head` closes our stdout early: that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
  });

  const code = await runCommandLine(process.argv.slice(2), {
    cwd: process.cwd(),
    env: process.env,
    signal: abort.signal,
    stdout: process.stdout,
    stderr: process.stderr,
  });
  process.exitCode = code;
  await flushed(process.stdout);
  // Idle keep-alive connections and workers must not keep a finished command alive.
  process.exit(code);
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}
