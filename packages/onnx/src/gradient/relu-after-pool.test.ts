import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../model/builder.ts';
import { checkModel } from '../model/check.ts';
import type { Model } from '../model/model.ts';
import { seededRandom } from '../tensor/random.ts';
import { ortRun, OrtTensor } from '../testing/ort.ts';
import { gradient } from './gradient.ts';
import { reluAfterPool } from './relu-after-pool.ts';

interface Form {
  readonly attributes?: Record<string, number | number[]>;
  /** Whether another node reads the ReLU, too. */
  readonly shared?: boolean;
  readonly indices?: boolean;
}

/** Σ p² of p = MaxPool(Relu(x)), x [2, 3, 6, 6]. */
function pooled({ attributes = {}, shared = false, indices = false }: Form = {}): Model {
  const graph = new GraphBuilder('pooled');
  graph.input('x', 'float32', [2, 3, 6, 6]);
  graph.node('Relu', ['x'], {}, { outputs: ['relu'] });
  const window = { kernel_shape: [2, 2], strides: [2, 2], ...attributes };
  const outputs = indices ? ['pool', 'indices'] : ['pool'];
  graph.node('MaxPool', ['relu'], window, { outputs });
  const [square] = graph.node('Mul', ['pool', 'pool']);
  const [sum] = graph.node('ReduceSum', [square], { keepdims: 0 });
  const [rest] = graph.node('ReduceSum', [shared ? 'relu' : 'pool'], { keepdims: 0 });
  graph.node('Add', [sum, rest], {}, { outputs: ['loss'] });
  graph.output('loss', 'float32', []);
  return graph.model({ opset: 17 });
}

const order = (model: Model) =>
  model.graph!.node.map(({ opType }) => opType).filter((each) => /Relu|Pool/.test(each));

const random = seededRandom(5);
// Halves, so that elements tie.
const numbers = Float32Array.from(
  { length: 2 * 3 * 6 * 6 },
  () => Math.round(random.next() * 8 - 4) / 2,
);
const x = new OrtTensor('float32', numbers, [2, 3, 6, 6]);

describe('reluAfterPool', () => {
  const forms: [string, Form][] = [
    ['windows that tile', {}],
    ['windows that overlap', { attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] } }],
  ];
  it.each(forms)('changes no number and no gradient with %s', async (_, form) => {
    const before = pooled(form);
    const after = reluAfterPool(before, new Set());
    checkModel(after);
    expect(order(before)).toEqual(['Relu', 'MaxPool']);
    expect(order(after)).toEqual(['MaxPool', 'Relu']);
    expect(await ortRun(after, { x })).toEqual(await ortRun(before, { x }));
    // A requested name stays, and the order with it.
    const swapped = gradient(before, { loss: 'loss', inputs: ['x'] });
    const plain = gradient(before, { loss: 'loss', inputs: ['x', 'relu'] });
    expect(order(plain).slice(0, 2)).toEqual(['Relu', 'MaxPool']);
    const [one, other] = [await ortRun(swapped, { x }), await ortRun(plain, { x })];
    expect(one['grad:x']!.some((each) => each !== 0)).toBe(true);
    one['grad:x']!.forEach((each, i) => expect(each).toBeCloseTo(other['grad:x']![i]!, 5));
  });

  it.each<[string, Form]>([
    ['when another node reads the ReLU', { shared: true }],
    ['when the indices are read', { indices: true }],
    ['when windows may hold padding alone', { attributes: { ceil_mode: 1 } }],
    ['when windows have gaps', { attributes: { dilations: [2, 2] } }],
  ])('leaves the order %s', (_, form) => {
    expect(order(reluAfterPool(pooled(form), new Set()))).toEqual(['Relu', 'MaxPool']);
  });

  it('leaves a requested value', () => {
    expect(order(reluAfterPool(pooled(), new Set(['relu'])))).toEqual(['Relu', 'MaxPool']);
  });
});
