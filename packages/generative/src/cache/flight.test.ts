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
