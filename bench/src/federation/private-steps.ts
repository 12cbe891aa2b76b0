/**
 * The cost of clipping each example: the clipped sum of a batch against the plain sum of its
 * gradients, in alternating rounds, and against PyTorch's gradients of single examples. The noise is
 * left out: it is drawn once per round, however many batches that has.
 */
import {
  mlp,
  seededRandom,
  tensor,
  withLoss,
  type LossModel,
  type NumericTensor,
} from '@skein/onnx';
import { clippedStep, openClipped, sgd, type Tensors } from '@skein/train';
import { nativeBackend } from '@skein/train/native';
import { gradientStep } from '@skein/train/parallel';
import type { RowGroup } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';
import { startPyTorch } from '../training/pytorch.ts';

const BATCH = 64;
const SIZES = [784, 200, 200, 10] as const;
const WARM_UP = 20;

export const PRIVATE_STEPS: RowGroup = {
  measures: [
    {
      key: 'dp_step_ratio',
      what: 'sum of gradients that are clipped one by one over their plain sum, MLP, batch 64, without noise',
      unit: '×',
      target: { atMost: 1.5 },
    },
    {
      key: 'dp_vs_torch_vmap',
      what: 'PyTorch, clipped gradients of single examples by vmap, over ours',
      unit: '×',
      target: { atLeast: 20 },
    },
  ],
  async measure({ quick, progress }) {
    progress('steps of private training');
    const rounds = quick ? 6 : 20;
    const [clipped, plain, peer] = await Promise.all([
      openClippedStep(),
      openPlainStep(),
      startPyTorch('per_example.py'),
    ]);
    const times = { clipped: [] as number[], plain: [] as number[], vmap: [] as number[] };
    for (let round = -1; round < rounds; round++) {
      const found = {
        clipped: await timed(clipped, round < 0 ? WARM_UP : 20),
        plain: await timed(plain, round < 0 ? WARM_UP : 20),
        vmap: await peer.steps('mlp', BATCH, 2),
      };
      if (round < 0) continue;
      for (const name of ['clipped', 'plain', 'vmap'] as const) times[name].push(...found[name]);
    }
    await Promise.all([clipped.close(), plain.close(), peer.stop()]);
    const [ours, bare, theirs] = [median(times.clipped), median(times.plain), median(times.vmap)];
    return {
      results: { dp_step_ratio: ours / bare, dp_vs_torch_vmap: theirs / ours },
      details: { privateStep: { clippedMs: ours, plainMs: bare, vmapMs: theirs } },
    };
  },
};

interface OpenStep {
  step(): Promise<unknown>;
  close(): Promise<void>;
}

function graded(batch: number): LossModel {
  return withLoss(mlp({ sizes: [...SIZES], seed: 1, batch }), {
    loss: { kind: 'cross-entropy' },
    target: 'labels',
    weights: 'sample',
    weightName: 'mask',
  });
}

async function openClippedStep(): Promise<OpenStep> {
  const step = clippedStep(graded, { batch: BATCH });
  const session = await openClipped(step, nativeBackend);
  const numbers = step.parameters.flatMap(({ name }) => [
    ...new Float32Array(step.initial.get(name)!.bytes.slice().buffer),
  ]);
  const [rows, vector] = [batch(), Float32Array.from(numbers)];
  return { step: () => session.run(rows, vector, 1), close: () => session.close() };
}

async function openPlainStep(): Promise<OpenStep> {
  const { model, ...rest } = graded(BATCH);
  const step = gradientStep(model, { ...rest, optimiser: sgd() });
  const graph = await nativeBackend.open(step.gradient);
  const feeds: Tensors = new Map([...batch(), ...step.initial]);
  const into = new Map<string, NumericTensor>(
    step.parameters.map(({ name, type, shape }) => {
      const count = shape.reduce((all, size) => all * size, 1);
      return [`grad:${name}`, tensor(type, shape, new Float32Array(count))];
    }),
  );
  return { step: () => graph.run(feeds, into), close: () => graph.close() };
}

/** Uniform noise and labels; every label counts. */
function batch(): Tensors {
  const random = seededRandom(2);
  const pixels = Float32Array.from({ length: BATCH * SIZES[0] }, () => random.next() * 2 - 1);
  const labels = BigInt64Array.from({ length: BATCH }, (_, i) => BigInt(i % 10));
  return new Map([
    ['x', tensor('float32', [BATCH, SIZES[0]], pixels)],
    ['labels', tensor('int64', [BATCH], labels)],
    ['mask', tensor('float32', [BATCH], new Float32Array(BATCH).fill(1))],
  ]);
}

/** Milliseconds of each step. */
async function timed(open: OpenStep, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const begun = performance.now();
    await open.step();
    times.push(performance.now() - begun);
  }
  return times;
}
