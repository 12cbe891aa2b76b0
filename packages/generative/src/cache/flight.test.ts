import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { startFlight } from './flight.ts';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

it('leaves nothing on the signals of its callers, whether the call fails or is read to its end', async () => {
  const start = (answer: Promise<{ events: () => AsyncGenerator<never> }>) =>
    startFlight({
      deadlineAt: 60_000,
      clock: { now: () => 0 },
      begin: () => answer,
      ended: () => {},
    });
  const { signal } = new AbortController();
  const failed = start(Promise.reject(new Error('The upstream failed.'))).join(signal, 60_000);
  expect(listeners(signal)).toBe(1);
  await expect(failed.answer).rejects.toThrow('The upstream failed.');
  expect(listeners(signal)).toBe(0);
  async function* nothing(): AsyncGenerator<never> {}
  const whole = start(Promise.resolve({ events: nothing })).join(signal, 60_000);
  await whole.answer;
  for await (const _ of whole.events());
  expect(listeners(signal)).toBe(0);
});

const never = new Promise<never>(() => {});

it('ends the call when the last caller leaves, not before', async () => {
  let ended = 0;
  let gone: AbortSignal | undefined;
  const flight = startFlight({
    deadlineAt: 60_000,
    clock: { now: () => 0 },
    begin(signal) {
      gone = signal;
      return never;
    },
    ended: () => void ended++,
  });
  const callers = [new AbortController(), new AbortController()];
  const readers = callers.map(({ signal }) => flight.join(signal, 60_000));
  for (const { answer } of readers) answer.catch(() => {});
  callers[0]!.abort(new Error('left'));
  expect([gone?.aborted, ended]).toEqual([false, 0]);
  callers[1]!.abort(new Error('left'));
  expect([gone?.aborted, ended]).toEqual([true, 1]);
  for (const { answer } of readers) await expect(answer).rejects.toThrow('left');
});

it('holds a caller to its deadline until the first content, and not after it', async () => {
  for (const hasBegun of [false, true]) {
    const go = Promise.withResolvers<{ events: () => AsyncGenerator<never> }>();
    const flight = startFlight({
      deadlineAt: 60_000,
      clock: { now: () => 0 },
      begin(_, begun) {
        if (hasBegun) begun();
        return go.promise;
      },
      ended: () => {},
    });
    const { signal } = new AbortController();
    const { answer } = flight.join(signal, 1);
    // This timer ends after the deadline's timer.
    const later = new Promise((resolve) => setTimeout(resolve, 20));
    const first = Promise.race([answer.catch((error: unknown) => error), later]);
    if (hasBegun) expect(await first).toBeUndefined();
    else expect(await first).toMatchObject({ code: 'PROVIDER_TIMEOUT' });
  }
});
