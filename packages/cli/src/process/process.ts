/**
 * The command in its process: signals, streams and the exit code. Everything else happens in
 * `run`, which tests can call without a process.
 */
import { exit } from './exit.ts';
import { interruption } from './interruption.ts';
import { runCommandLine } from '../command-line/run.ts';

export async function runProcess(): Promise<void> {
  // `skein ls | head` closes stdout early: that is not an error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
  });

  const code = await runCommandLine(process.argv.slice(2), {
    cwd: process.cwd(),
    env: process.env,
    signal: interruption,
    stdout: process.stdout,
    stderr: process.stderr,
  });
  process.exitCode = code;
  await flushed(process.stdout);
  // Idle keep-alive connections and workers must not keep a finished command alive.
  exit(code);
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}
