/**
 * The command in its process: signals, streams and the exit code. Everything else happens in
 * `run`, which tests can call without a process.
 */
import { unwritable } from '@skein/api/file-errors';
import { exit } from './exit.ts';
import { interruption } from './interruption.ts';
import { EXIT, runCommandLine } from '../command-line/run.ts';
import { describeError, renderError } from '../output/error.ts';
import { styleOf } from '../output/style.ts';

export async function runProcess(): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `skein ls | head` closes stdout early: that is not an error. A full disk is.
    if (error.code === 'EPIPE') process.exit(0);
    const body = describeError(unwritable('stdout', error), process.env);
    process.stderr.write(`${renderError(body, styleOf(process.stderr, process.env))}\n`);
    process.exit(EXIT.failure);
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
