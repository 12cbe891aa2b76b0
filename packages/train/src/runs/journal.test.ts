import { Run } from '@skein/api';
import { expect, it } from 'vitest';
import { sampleRun } from '../../../state/src/runs/testing/sample-run.ts';
import { thinned } from './journal.ts';

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
