/**
 * The command in its process: signals, streams and the exit code. Everything else happens in
 * `run`, which tests can call without a process.
 */
import { SkeinError } from '@skein/api/errors';
import { unwritable } from '@skein/api/file-errors';
import { exit } from './exit.ts';
import { interrupt, interruption } from './interruption.ts';
import { EXIT, runCommandLine } from '../command-line/run.ts';
import { describeError, renderError } from '../output/error.ts';
import { styleOf } from '../output/style.ts';
import { shownOn } from '../output/terminal.ts';

export async function runProcess(): Promise<void> {
  let isClosed = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `skein ls | head` closes stdout early: that is not an error, and ends the command as Ctrl-C does,
    // with its job and its node. A full disk is an error.
    if (error.code === 'EPIPE') {
      if (!isClosed) interrupt();
      isClosed = true;
      return;
    }
    fail(unwritable('stdout', error));
  });

  const code = await runCommandLine(process.argv.slice(2), {
    cwd: workingFolder(),
    env: process.env,
    signal: interruption,
    stdout: process.stdout,
    stderr: process.stderr,
  });
  await flushed(process.stdout);
  const ended = isClosed && code === EXIT.interrupted ? EXIT.ok : code;
  process.exitCode = ended;
  // Idle keep-alive connections and workers must not keep a finished command alive.
  exit(ended);
}

function workingFolder(): string {
  try {
    return process.cwd();
  } catch {
    const message = 'The folder in which this command was started has been removed.';
    return fail(new SkeinError('FILE_UNREADABLE', message));
  }
}

function fail(error: SkeinError): never {
  const body = describeError(error, process.env);
  const text = renderError(body, styleOf(process.stderr, process.env));
  process.stderr.write(`${shownOn(process.stderr, text)}\n`);
  process.exit(EXIT.failure);
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}
