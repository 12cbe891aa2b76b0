/**
 * A thread that ends in the middle of a training: the run stops with an error, and resumes from its
 * checkpoint.
 */
import type * as workerThreads from 'node:worker_threads';
import { expect, it, vi } from 'vitest';
import type { CheckpointStore } from '../../checkpoint/checkpoint.ts';
import { trainIn, type TrainOptions } from '../../trainer/trainer.ts';
import { RankLost } from '../collective.ts';
import { moonsPlan, moonsStep } from '../testing/moons.ts';
import { openThreads } from './threads.ts';

const threads = vi.hoisted(() => [] as { terminate(): Promise<number> }[]);
vi.mock('node:worker_threads', async (original) => {
  const actual = await original<typeof workerThreads>();
  return {
    ...actual,
    // The real thread, where the test can reach it.
    Worker: class extends actual.Worker {
      constructor(...given: ConstructorParameters<typeof actual.Worker>) {
        super(...given);
        threads.push(this);
      }
    },
  };
});

const plan: TrainOptions = { ...moonsPlan, epochs: 4, checkpointEvery: 5 };

function train(also: Partial<TrainOptions>) {
  const step = moonsStep(2);
  const { batch, mask, seed, data } = plan;
  const open = () => openThreads(step, { workers: 2, data, batch, mask, seed });
  return trainIn(step, open, { ...plan, ...also });
}

it('ends the run naming the thread, and resumes from the last checkpoint to the same bits', async () => {
  const whole = await train({});
  let saved: Uint8Array | undefined;
  let done = 0;
  const checkpoints: CheckpointStore = {
    load: async () => saved,
    save: async (bytes) => {
      saved = bytes.slice();
      if (done === 10) await threads.at(-1)!.terminate();
    },
  };
  const failure = await train({
    checkpoints,
    onProgress: ({ step }) => {
      done = step;
    },
  }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(RankLost);
  expect(failure).toMatchObject({ kind: 'rank', rank: 1 });
  expect((failure as RankLost).message).toMatch(/^Rank 1 has (stopped|ended)/);
  expect(done).toBe(10);
  done = 0;
  const resumed = await train({ checkpoints });
  expect(resumed.epochs).toEqual(whole.epochs);
  const bytesOf = ({ tensors }: typeof whole) =>
    [...tensors].map(([name, { bytes }]) => [name, Buffer.from(bytes).toString('hex')]);
  expect(bytesOf(resumed)).toEqual(bytesOf(whole));
});
