/** SCAFFOLD in sums with noise, as client-level privacy has it: what becomes of the noise in the control variate. */
import { mlp, seededRandom, withLoss } from '@skein/onnx';
import { expect, it } from 'vitest';
import { dataset } from '../../data/dataset.ts';
import { nativeBackend } from '../../run/native-backend.ts';
import { moons } from '../../testing/models.ts';
import { federatedModel, openLocalTraining, seededBatches } from '../training/local-training.ts';
import { strategyOf } from './strategies.ts';

const SITES = 30;
const ROUNDS = 60;
const ROWS_OF_SITE = 20;
const LOCAL = { batch: ROWS_OF_SITE, steps: 5, learningRate: 0.2 };
const CLIP = 0.5;

const KINDS = {
  fedavg: () => strategyOf('fedavg'),
  corrected: () => strategyOf('scaffold', { distance: LOCAL.steps * LOCAL.learningRate }),
  uncorrected: () =>
    strategyOf('scaffold', { distance: LOCAL.steps * LOCAL.learningRate, uncorrected: true }),
};

/** The loss over all rows after the last round over sites that nearly all have one class. @param noise over the clip. */
async function lossOf(kind: keyof typeof KINDS, noise: number, seed: number): Promise<number> {
  const strategy = KINDS[kind]();
  const graded = withLoss(mlp({ sizes: [2, 16, 2], seed: 2, batch: ROWS_OF_SITE }), {
    loss: { kind: 'cross-entropy' },
    target: 'labels',
    weights: 'sample',
    weightName: 'mask',
  });
  const { x, labels } = moons(SITES * ROWS_OF_SITE, 7);
  const classes = new BigInt64Array(labels.bytes.slice().buffer);
  const order = [...classes.keys()].toSorted((a, b) => Number(classes[a]! - classes[b]!));
  const sites = Array.from({ length: SITES }, (_, site) =>
    Uint32Array.from(order.slice(site * ROWS_OF_SITE, (site + 1) * ROWS_OF_SITE)),
  );
  const model = federatedModel(graded, strategy.site);
  const open = { backend: nativeBackend, rows: dataset({ x, labels }), mask: 'mask', seed };
  const training = await openLocalTraining(model, strategy.site, { ...open, ...LOCAL });
  const random = seededRandom(seed);
  const gaussian = (): number =>
    Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  const memories = new Map<number, Float32Array>();
  const distance = LOCAL.steps * LOCAL.learningRate;
  let state = strategy.initial(model.initial);
  for (let number = 0; number < ROUNDS; number++) {
    const broadcast = strategy.broadcast(state);
    const sum = new Float64Array(model.initial.length);
    for (const [site, rows] of sites.entries()) {
      const memory = memories.get(site);
      const batches = seededBatches(rows, { ...LOCAL, seed }, number);
      const found = await training.localUpdate(broadcast, { number, memory }, batches);
      const scale = Math.min(1, CLIP / Math.hypot(...found.update));
      const update = found.update.map((each) => scale * each);
      update.forEach((each, i) => (sum[i] = sum[i]! + each));
      const next = strategy.site.remembered?.({ broadcast, update, memory, distance });
      if (next !== undefined) memories.set(site, next);
    }
    for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + noise * CLIP * gaussian();
    state = strategy.apply(state, sum, SITES);
  }
  await training.close();
  const plain = strategyOf('fedavg');
  const judge = await openLocalTraining(federatedModel(graded, plain.site), plain.site, {
    ...open,
    ...LOCAL,
    learningRate: 1e-9,
  });
  const { loss } = await judge.localUpdate(state.parameters, { number: 0 }, sites);
  await judge.close();
  return loss;
}

it('learns more than FedAvg where sites send no correction, and is lost in the noise of all rounds where they do', async () => {
  const [fedavg, corrected, uncorrected] = [
    await lossOf('fedavg', 3, 2),
    await lossOf('corrected', 3, 2),
    await lossOf('uncorrected', 3, 2),
  ];
  expect(uncorrected).toBeLessThan(fedavg);
  expect(corrected).toBeGreaterThan(5 * fedavg);
}, 120_000);
