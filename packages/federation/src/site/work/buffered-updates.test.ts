import { stalenessWeight } from '@skein/train/federated';
import { expect, it } from 'vitest';
import { bufferedUpdates, type Asked } from './buffered-updates.ts';

const DIGESTS = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(64));
const asked = (round: number, more: Partial<Asked> = {}): Asked => ({
  round,
  broadcast: Float32Array.of(round),
  versions: DIGESTS.slice(Math.max(0, round - 2), round + 1),
  signal: undefined,
  ...more,
});

/** A site whose trainings end when a test ends them; each adds ten. */
function site(staleness = 2) {
  const trainings: PromiseWithResolvers<void>[] = [];
  const updates = bufferedUpdates(
    {
      async update(_, [number]) {
        const training = Promise.withResolvers<void>();
        trainings.push(training);
        await training.promise;
        return { numbers: [number! + 10], weight: 7 };
      },
    },
    { staleness },
  );
  return { updates, trainings };
}

it('leaves a round that is over at once, and gives what it learnt to the next by its age', async () => {
  const { updates, trainings } = site();
  const over = new AbortController();
  const left = updates(asked(0, { signal: over.signal }));
  over.abort();
  await expect(left).rejects.toBe(over.signal.reason);
  const next = updates(asked(2));
  trainings[0]!.resolve();
  expect(await next).toMatchObject({
    numbers: Float64Array.of(10 * stalenessWeight(2)),
    weight: 7,
    behind: 2,
  });
  expect(trainings).toHaveLength(1);
});

it.each<[string, boolean | undefined, number, number]>([
  ['once it is in the sum of another round', true, 1, 2],
  ['not where it came too late for that', false, 1, 1],
  ['not where that round is tried again', undefined, 0, 1],
])('trains anew %s', async (_, isTaken, next, count) => {
  const { updates, trainings } = site();
  const first = updates(asked(0));
  trainings[0]!.resolve();
  const settled = (await first).give();
  const second = updates(asked(next));
  if (isTaken !== undefined) settled(isTaken);
  await new Promise(setImmediate);
  expect(trainings).toHaveLength(count);
  trainings.at(-1)!.resolve();
  expect((await second).behind).toBe(count === 1 ? next : 0);
});

it('trains anew after a training that failed, and after one that is too old', async () => {
  const { updates, trainings } = site(1);
  const first = updates(asked(0));
  trainings[0]!.reject(new Error('no memory'));
  await expect(first).rejects.toThrow('no memory');
  const second = updates(asked(1));
  await new Promise(setImmediate);
  trainings[1]!.resolve();
  expect((await second).behind).toBe(0);
  const third = updates(asked(3));
  await new Promise(setImmediate);
  trainings[2]!.resolve();
  expect(await third).toMatchObject({ numbers: Float64Array.of(13), behind: 0 });
});

it('gives nothing for a round whose coordinator names other parameters of an earlier one', async () => {
  const { updates, trainings } = site();
  const first = updates(asked(0));
  trainings[0]!.resolve();
  (await first).give()(false);
  const versions = [DIGESTS[4]!, DIGESTS[1]!];
  await expect(updates(asked(1, { versions }))).rejects.toMatchObject({
    code: 'FEDERATION_PROTOCOL',
    message: expect.stringContaining('other parameters of round 0'),
  });
});
