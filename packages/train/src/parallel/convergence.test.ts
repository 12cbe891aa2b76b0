import { expect, it } from 'vitest';
import type { Optimiser } from '../optimisers/optimiser.ts';
import { sgd } from '../optimisers/sgd.ts';
import { constant } from '../schedules/schedule.ts';
import { trainIn, type TrainOptions } from '../trainer/trainer.ts';
import { moonsPlan, moonsStep } from './testing/moons.ts';
import { openThreads, type ThreadsOptions } from './threads/threads.ts';

const WORKERS = 2;

/** Mean loss of the last epoch. */
async function lossWith(
  options: Pick<ThreadsOptions, 'local' | 'compression'>,
  plan: TrainOptions = moonsPlan,
  optimiser?: Optimiser,
): Promise<number> {
  const step = moonsStep(WORKERS, optimiser);
  const { batch, mask, seed, data } = plan;
  const open = () => openThreads(step, { workers: WORKERS, data, batch, mask, seed, ...options });
  const { epochs } = await trainIn(step, open, plan);
  return epochs.at(-1)!.loss;
}

it('converges with eight bits, and with parameters or movements exchanged after local steps', async () => {
  const plain = await lossWith({});
  expect(plain).toBeLessThan(0.1);
  expect(await lossWith({ compression: { kind: '8-bit' } })).toBeLessThan(plain + 0.02);
  const averaged = { steps: 4, outerRate: 1, outerMomentum: 0 };
  expect(await lossWith({ local: averaged })).toBeLessThan(plain + 0.1);
  expect(await lossWith({ local: { steps: 4 } })).toBeLessThan(plain + 0.1);
}, 120_000);

it('converges with the largest numbers alone, and worse when what is left out is dropped', async () => {
  const slow = { ...moonsPlan, schedule: constant(0.3) };
  const plain = await lossWith({}, slow, sgd());
  expect(plain).toBeLessThan(0.05);
  const topK = { kind: 'top-k', share: 0.01 } as const;
  const fed = await lossWith({ compression: topK }, slow, sgd());
  const forgetful = await lossWith({ compression: { ...topK, errorFeedback: false } }, slow, sgd());
  expect(fed).toBeLessThan(plain + 0.1);
  expect(forgetful).toBeGreaterThan(fed + 0.02);
}, 120_000);
