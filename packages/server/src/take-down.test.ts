import { expect, test } from 'vitest';
import { takeDown, type Room } from './take-down.ts';

const never = (): Promise<never> => new Promise(() => {});

test('ends rooms in the opposite order, and gives each the same deadline', async () => {
  const told: unknown[] = [];
  const room = (name: string): Room => ({ name, stop: (by) => void told.push([name, by]) });
  const by = performance.now() + 1_000;
  const started = [room('state'), room('serving'), room('faces')];
  await takeDown(started, by, (name) => told.push(name));
  expect(told).toEqual([
    ['faces', by],
    ['serving', by],
    ['state', by],
  ]);
  expect(started).toEqual([]);
});

test('leaves behind what is not done by then, and still ends the others', async () => {
  const ended: string[] = [];
  const late: [string, unknown][] = [];
  const begun = performance.now();
  await takeDown(
    [
      { name: 'state', stop: () => ended.push('state') },
      { name: 'tracing', stop: never },
      { name: 'broken', stop: () => Promise.reject(new Error('no')) },
      { name: 'faces', stop: never },
    ],
    begun + 100,
    (name, error) => late.push([name, (error as Error | undefined)?.message]),
  );
  expect(late).toEqual([
    ['faces', undefined],
    ['broken', 'no'],
    ['tracing', undefined],
  ]);
  expect(ended).toEqual(['state']);
  expect(performance.now() - begun).toBeGreaterThan(400);
});
