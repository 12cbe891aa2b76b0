import { nativeBackend } from '@skein/train/native';
import { expect, it } from 'vitest';
import { readSiteRows } from '../site-rows.ts';
import { trainedPlan } from '../testing/trained-plan.ts';
import { openTraining } from './training.ts';

const ROWS = new TextEncoder().encode('age,sex,disease\n40,1,1\n50,0,0\n60,0,1\n70,1,0\n');

it('clips the update of a site as a whole with privacy client, and does not weigh it by its rows', async () => {
  const updateOf = async (clip: number) => {
    const { plan, model } = await trainedPlan({
      privacy: { mode: 'client', clip, noise: 20 },
      aggregation: { kind: 'pairwise' },
      sites: { minimum: 4 },
    });
    const rows = await readSiteRows(plan.data, ROWS);
    const training = await openTraining({ plan, model, rows, backend: nativeBackend });
    const { numbers, weight } = await training.update(0, new Float32Array(4).fill(0.1));
    return { norm: Math.hypot(...Array.from(numbers)), weight };
  };
  const free = await updateOf(1000);
  const clipped = await updateOf(free.norm / 3);
  expect(clipped.norm).toBeCloseTo(free.norm / 3, 6);
  expect([free.weight, clipped.weight]).toEqual([1, 1]);
});
