/** The outcome of a call, in one word: for tests in which a call may end in more than one way. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SkeinError } from '@skein/api';

/** Longer than any call to a store may take, in milliseconds. */
const BOUND_MS = 60_000;

/** @returns the code of its error; `succeeded`, or `no answer` if it has none after a minute. */
export async function outcomeOf(call: Promise<unknown>): Promise<string> {
  const ended = call.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof SkeinError ? error.code : String(error)),
  );
  return Promise.race([ended, sleep(BOUND_MS, 'no answer', { ref: false })]);
}
