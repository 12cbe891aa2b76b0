import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { timesOutAt, type RunView } from './run-timeout.ts';

const run = (more: Partial<RunView> = {}): RunView => ({
  startedAt: 1_000,
  deadline: 1_500,
  expectedMs: 10,
  objectiveMs: 500,
  isolation: 'process',
  ...more,
});

describe('the timeout of a run', () => {
  test('ends a second after the deadline, or four runs after it', () => {
    expect(timesOutAt(run())).toBe(2_500);
    expect(timesOutAt(run({ expectedMs: 400 }))).toBe(3_100);
  });

  test('is longer with a thread, which cannot be ended, and with a model that has never run', () => {
    expect(timesOutAt(run({ isolation: 'thread' }))).toBe(6_500);
    expect(timesOutAt(run({ expectedMs: 0 }))).toBe(11_500);
  });

  test('is not extended by a far deadline', () => {
    const hour = 3_600_000;
    expect(timesOutAt(run({ deadline: hour }))).toBe(1_000 + 10_000 + 1_000);
    expect(timesOutAt(run({ deadline: hour, objectiveMs: 5_000 }))).toBe(52_000);
    expect(timesOutAt(run({ deadline: hour, expectedMs: 2_000 }))).toBe(49_000);
  });

  test('is never less than the expected run time, nor more than its bounds', () => {
    const ms = (max: number) => fc.double({ min: 0, max, noNaN: true });
    fc.assert(
      fc.property(
        ms(1e6),
        ms(1e7),
        ms(1e5),
        ms(1e5),
        (startedAt, deadline, expectedMs, objectiveMs) => {
          const until = timesOutAt(run({ startedAt, deadline, expectedMs, objectiveMs }));
          expect(until - startedAt).toBeGreaterThanOrEqual(Math.max(999, 4 * expectedMs - 1));
          const longest = Math.max(10_000, 10 * objectiveMs, 20 * expectedMs);
          expect(until - startedAt).toBeLessThanOrEqual(
            longest + Math.max(10_000, 4 * expectedMs) + 1,
          );
        },
      ),
    );
  });
});
