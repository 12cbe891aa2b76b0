import { describe, expect, test } from 'vitest';
import { Events } from './events.ts';
import { simulate } from './fleet.ts';
import { LOCAL_FIRST } from './local-first.ts';
import { OTHERS, RANDOM_ONE_RETRY } from './policies.ts';
import { seededRandom } from './random.ts';
import { SCENARIOS } from './scenarios.ts';

test('events happen in the order of their times', () => {
  const events = new Events();
  const random = seededRandom(3);
  const seen: number[] = [];
  const add = (depth: number): void => {
    events.after(random() * 100, () => {
      seen.push(events.now);
      if (depth > 0) add(depth - 1);
    });
  };
  for (let i = 0; i < 300; i++) add(3);
  events.run();
  expect(seen).toHaveLength(1200);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

describe('a fleet of 200 nodes', () => {
  const run = (scenario: string, policy: typeof LOCAL_FIRST, seed = 1) =>
    simulate({
      nodes: 200,
      scenario: SCENARIOS.find(({ name }) => name === scenario)!,
      policy,
      seed,
      durationMs: 3000,
    });

  test('is the same for the same seed, and another one for another', () => {
    const first = run('a fifth at half speed', LOCAL_FIRST);
    expect(run('a fifth at half speed', LOCAL_FIRST)).toEqual(first);
    expect(run('a fifth at half speed', LOCAL_FIRST, 2)).not.toEqual(first);
  });

  test('with slow nodes, local first loses less than a tenth of what a random retry loses', () => {
    for (const seed of [1, 2, 3]) {
      const lost = 1 - run('a fifth at half speed', LOCAL_FIRST, seed).goodput;
      const lostByRandom = 1 - run('a fifth at half speed', RANDOM_ONE_RETRY, seed).goodput;
      expect(lost).toBeLessThan(0.1 * lostByRandom);
    }
  });

  test('the best of ten old digests loses more than a random choice: every node sends to the same member', () => {
    const stale = OTHERS.find(({ name }) => name.startsWith('best of 10'))!;
    const lost = 1 - run('a fifth at half speed', stale).goodput;
    expect(lost).toBeGreaterThan(3 * (1 - run('a fifth at half speed', RANDOM_ONE_RETRY).goodput));
  });

  test('under overload it spends few messages on a fleet that is full', () => {
    expect(run('overload, load 3', LOCAL_FIRST).messages).toBeLessThan(2);
  });
});
