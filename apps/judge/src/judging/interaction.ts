/**
 * A conversation between a submission and a validator, each in a session of its own, joined by pipes
 * through the judge.
 *
 * The side that ends first decides. A validator that rejects has the last word. A submission that
 * fails on its own is judged by its failure, whatever verdict the validator reaches after that. A
 * validator that accepts still waits for the submission to end well. To keep that order, the end of
 * one side's output is forwarded only when that side has ended — or after a delay, for programs
 * that close their output and continue. Neither side ever gets SIGPIPE: output without a reader is
 * discarded.
 */
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningCommand } from '@skein/sandbox';

/** Milliseconds for which the end of an output is held back while its writer has not ended. */
const CLOSED_EARLY_MS = 250;
const MAX_STDERR = 4096;

const ACCEPTED = 42;

export async function interact(submission: RunningCommand, validator: RunningCommand) {
  const submissionStderr = keepText(submission.stderr);
  const validatorStderr = keepText(validator.stderr);
  join(validator.stdout, writable(submission), validator.ended);
  join(submission.stdout, writable(validator), submission.ended);
  const first = await Promise.race([
    submission.ended.then(() => 'submission' as const),
    validator.ended.then(() => 'validator' as const),
  ]);
  if (first === 'validator' && (await validator.ended).exitCode !== ACCEPTED) {
    await submission.kill();
  }
  const [submissionEnding, validatorEnding] = await Promise.all([
    submission.ended,
    validator.ended,
  ]);
  return {
    first,
    submission: submissionEnding,
    validator: validatorEnding,
    submissionStderr: submissionStderr(),
    validatorStderr: validatorStderr(),
  };
}

function writable(command: RunningCommand): Writable {
  if (command.stdin === undefined)
    throw new Error('an interaction needs a command with a piped stdin');
  return command.stdin;
}

/** Forwards with backpressure; when the reader has ended, it reads on and discards. */
function join(from: Readable, to: Writable, writerEnded: Promise<unknown>): void {
  let open = true;
  const close = (): void => {
    open = false;
    from.resume();
  };
  to.on('error', close).on('close', close);
  from.on('data', (chunk: Uint8Array) => {
    if (!open || to.write(chunk)) return;
    from.pause();
    to.once('drain', () => from.resume());
  });
  const finish = async (): Promise<void> => {
    const timer = new AbortController();
    const moment = delay(CLOSED_EARLY_MS, undefined, { signal: timer.signal }).catch(
      () => undefined,
    );
    await Promise.race([writerEnded.catch(() => undefined), moment]);
    timer.abort();
    if (open) to.end();
  };
  let finished = false;
  const once = (): void => {
    if (!finished) {
      finished = true;
      void finish();
    }
  };
  from.on('end', once).on('close', once).on('error', once);
}

function keepText(stream: Readable): () => string {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    if (text.length < MAX_STDERR) text += chunk.toString('utf8').slice(0, MAX_STDERR - text.length);
  });
  stream.on('error', () => undefined);
  return () => text;
}
