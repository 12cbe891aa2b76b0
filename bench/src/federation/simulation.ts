/**
 * A thousand sites in one process: McMahan's 2NN on Fashion-MNIST, 100 sites a round, one pass in
 * batches of ten (McMahan et al. 2017, table 1). Rows of a full run also count the rounds to 80 %.
 */
import { createReadStream, existsSync } from 'node:fs';
import { mlp, signatureOf, tensor, values, withLoss, type NumericTensor } from '@skein/onnx';
import { dataset, readIdx, withTrained, type Dataset } from '@skein/train';
import {
  equalSites,
  federatedModel,
  simulate,
  strategyOf,
  tensorsOf,
} from '@skein/train/federated';
import { nativeBackend } from '@skein/train/native';
import type { RowGroup } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';

/** Where Debian's package dataset-fashion-mnist puts them. */
export const PICTURES = '/usr/share/datasets/fashion-mnist';
const SIZES = [784, 200, 200, 10] as const;
const BATCH = 10;
const TESTED = 1000;

export const SIMULATION: RowGroup = {
  measures: [
    {
      key: 'sim_rounds_per_s',
      what: '1,000 simulated sites, 100 a round, 2NN on Fashion-MNIST, E = 1, B = 10: rounds a second',
      unit: '/s',
      target: { atLeast: 1 },
    },
    {
      key: 'rounds_to_80',
      what: '… rounds to 80 % of the test pictures, IID (full run only)',
      unit: '',
      target: { atMost: 20 },
    },
  ],
  async measure({ quick, progress }) {
    if (!existsSync(PICTURES)) {
      progress(`simulation left out: ${PICTURES} is absent`);
      return { results: {}, details: { simulation: 'dataset-fashion-mnist is not installed' } };
    }
    progress('a thousand simulated sites');
    const rows = await pictures('train');
    const test = quick ? undefined : await pictures('t10k');
    const strategy = strategyOf('fedavg');
    const graded = withLoss(mlp({ sizes: [...SIZES], seed: 1, batch: BATCH }), {
      loss: { kind: 'cross-entropy' },
      target: 'labels',
      weights: 'sample',
      weightName: 'mask',
    });
    const model = federatedModel(graded, strategy.site);
    const seconds: number[] = [];
    let begun = performance.now();
    let reached: number | undefined;
    await simulate(model, {
      backend: nativeBackend,
      strategy,
      rows,
      sites: equalSites(rows.count, 1000, 1),
      sampled: 100,
      rounds: quick ? 4 : 40,
      batch: BATCH,
      mask: 'mask',
      learningRate: 0.1,
      seed: 1,
      async onRound({ round, state }) {
        seconds.push((performance.now() - begun) / 1000);
        if (test !== undefined && reached === undefined) {
          const right = await accuracy(tensorsOf(model.layout, state.parameters), test);
          progress(`round ${round}: ${(100 * right).toFixed(1)} %`);
          if (right >= 0.8) reached = round;
        }
        begun = performance.now();
        return quick || reached === undefined || round < 10;
      },
    });
    return {
      results: {
        sim_rounds_per_s: 1 / median(seconds),
        ...(reached === undefined ? {} : { rounds_to_80: reached }),
      },
      details: { simulation: { roundSeconds: seconds } },
    };
  },
};

export async function pictures(part: 'train' | 't10k'): Promise<Dataset> {
  const read = (what: string): Promise<NumericTensor> =>
    readIdx(createReadStream(`${PICTURES}/${part}-${what}-ubyte.gz`));
  const [images, labels] = [await read('images-idx3'), await read('labels-idx1')];
  const count = labels.shape[0]!;
  const grey = values(images) as Uint8Array;
  const pixels = new Float32Array(grey.length);
  for (let i = 0; i < grey.length; i++) pixels[i] = (grey[i]! / 255 - 0.286) / 0.353;
  const classes = new BigInt64Array(count);
  (values(labels) as Uint8Array).forEach((label, i) => (classes[i] = BigInt(label)));
  return dataset({
    x: tensor('float32', [count, 784], pixels),
    labels: tensor('int64', [count], classes),
  });
}

export async function accuracy(
  trained: ReadonlyMap<string, NumericTensor>,
  { tensors, count }: Dataset,
  sizes: readonly [number, number, ...number[]] = SIZES,
): Promise<number> {
  const model = withTrained(mlp({ sizes: [...sizes], seed: 1, batch: TESTED }), trained);
  const graph = await nativeBackend.open(model);
  const output = signatureOf(model).outputs[0]!.name;
  const [x, labels] = [tensors.get('x')!, values(tensors.get('labels')!) as BigInt64Array];
  let right = 0;
  for (let start = 0; start < count; start += TESTED) {
    const part = x.bytes.subarray(start * 784 * 4, (start + TESTED) * 784 * 4);
    const found = await graph.run(new Map([['x', { ...x, shape: [TESTED, 784], bytes: part }]]));
    const scores = values(found.get(output)!) as Float32Array;
    for (let row = 0; row < TESTED; row++) {
      const own = scores.subarray(row * 10, row * 10 + 10);
      if (own.indexOf(Math.max(...own)) === Number(labels[start + row])) right++;
    }
  }
  await graph.close();
  return right / count;
}
