import { Run } from '@skein/api';
import { afterEach, expect, it, vi } from 'vitest';
import { sampleRun } from '../../../state/src/runs/testing/sample-run.ts';
import { openJournal, thinned } from './journal.ts';

it('a long run is recorded thinned out, with its last epoch', () => {
  const epochs = Array.from({ length: 4321 }, (_, i) => ({
    epoch: i + 1,
    loss: 1 / (i + 1),
    learningRate: 0.01,
    tookMs: 5,
    metrics: {},
  }));
  // A record must be readable, however long the run.
  const thin = Run.parse(thinned(sampleRun('long', { epochs }))).epochs;
  expect(thin.length).toBeLessThanOrEqual(1000);
  expect(thin[0]!.epoch).toBe(1);
  expect(thin.at(-1)!.epoch).toBe(4321);
  const short = sampleRun('short');
  expect(thinned(short)).toBe(short);
});

afterEach(() => void vi.useRealTimers());

it('a run that is retried seldom records steps: its files are copied while it runs', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'Date'] });
  const recorded = async (retried: boolean) => {
    let count = 0;
    const journal = openJournal({ record: async () => void count++ }, sampleRun('r'), { retried });
    for (let step = 1; step <= 120; step++) {
      vi.advanceTimersByTime(1000);
      journal.step({ step, loss: 1, learningRate: 0.1 });
      await new Promise(setImmediate); // the record ends
    }
    return count;
  };
  expect(await recorded(true)).toBe(2);
  expect(await recorded(false)).toBeGreaterThan(100);
});
