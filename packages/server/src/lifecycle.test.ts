import { expect, test } from 'vitest';
import { stopComponents, type Component } from './lifecycle.ts';

const never = (): Promise<never> => new Promise(() => {});

test('stops components in reverse order, with the same deadline for each', async () => {
  const calls: unknown[] = [];
  const component = (name: string): Component => ({
    name,
    stop: (by) => void calls.push([name, by]),
  });
  const by = performance.now() + 1_000;
  const started = [component('state'), component('serving'), component('faces')];
  await stopComponents(started, by, (name) => calls.push(name));
  expect(calls).toEqual([
    ['faces', by],
    ['serving', by],
    ['state', by],
  ]);
  expect(started).toEqual([]);
});

test('abandons components that do not stop in time, and still stops the others', async () => {
  const ended: string[] = [];
  const late: [string, unknown][] = [];
  const begun = performance.now();
  await stopComponents(
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
