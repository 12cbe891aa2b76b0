import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SkeinError } from '@skein/api/errors';
import { whenReachable } from './when-reachable.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const away = (): Promise<never> =>
  Promise.reject(new SkeinError('STORE_UNREACHABLE', 'Nothing listens.'));
const silent = (): Promise<never> => new Promise(() => undefined);

it('reports at first and every half a minute why it waits, until the store answers', async () => {
  let isUp = false;
  const reasons: string[] = [];
  const waiting = whenReachable(() => (isUp ? Promise.resolve('answer') : away()), {
    onAway: (reason) => reasons.push(reason),
  });
  await vi.advanceTimersByTimeAsync(29_000);
  expect(reasons).toEqual(['Nothing listens.']);
  await vi.advanceTimersByTimeAsync(1000);
  expect(reasons).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(reasons).toHaveLength(4);
  isUp = true;
  await vi.advanceTimersByTimeAsync(1000);
  expect(await waiting).toBe('answer');
});

it.each([
  ['between two tries', away],
  ['while the store is silent', silent],
])('ends at once when it is asked to, %s', async (_when, act) => {
  const ending = new AbortController();
  let ended: unknown;
  whenReachable(act, { ending: ending.signal }).catch((error: unknown) => (ended = error));
  await vi.advanceTimersByTimeAsync(500);
  expect(ended).toBeUndefined();
  ending.abort(new Error('It is enough.'));
  await vi.advanceTimersByTimeAsync(0);
  expect(ended).toEqual(new Error('It is enough.'));
});

it('passes on what is no outage', async () => {
  const full = new SkeinError('STORAGE_FULL', 'No space.');
  await expect(whenReachable(() => Promise.reject(full))).rejects.toBe(full);
});
