import { MASK } from '@skein/train';
import { openLocalTraining } from '@skein/train/federated';
import { nativeBackend } from '@skein/train/native';
import { readModel } from '@skein/onnx';
import { expect, it } from 'vitest';
import { readSiteRows } from '../site-rows.ts';
import { trainedPlan } from '../testing/trained-plan.ts';
import { openTraining, trainingOf } from './training.ts';

const ROWS = 'age,sex,disease\n40,1,1\n50,0,0\n60,0,1\n70,1,0\n';
const numbersOf = async (update: Promise<{ numbers: ArrayLike<number> }>) =>
  Array.from((await update).numbers);

it('remembers for SCAFFOLD what it has sent, and begins an attempt that is tried again as the first', async () => {
  const local = { steps: 3, learningRate: 0.5 };
  const { plan, model, length } = await trainedPlan({ strategy: { name: 'scaffold' }, local });
  const rows = await readSiteRows(plan.data, new TextEncoder().encode(ROWS));
  const site = await openTraining({ plan, model, rows, backend: nativeBackend });
  const first = new Float32Array(2 * length).fill(0.1);
  const second = new Float32Array(2 * length).fill(-0.2);

  // The same rounds without a federation, the memory given by hand.
  const { strategy, federated } = trainingOf(plan, readModel(model), 4);
  const expected = await openLocalTraining(federated, strategy.site, {
    backend: nativeBackend,
    rows: rows.rows,
    batch: 4,
    mask: MASK,
    seed: 0,
    ...local,
  });
  const round0 = await expected.localUpdate(first, { number: 0 });
  const round1 = await expected.localUpdate(second, { number: 1, memory: round0.memory });
  const forgetful = await expected.localUpdate(second, { number: 1 });
  await expected.close();
  expect(forgetful.update).not.toEqual(round1.update);

  expect(await numbersOf(site.update(0, first))).toEqual([...round0.update]);
  for (let attempt = 0; attempt < 3; attempt++) {
    expect(await numbersOf(site.update(1, second)), `attempt ${attempt}`).toEqual([
      ...round1.update,
    ]);
  }
});
