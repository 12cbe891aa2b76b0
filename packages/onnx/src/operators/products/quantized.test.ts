/**
 * Straight-through gradients in every operator set, and with a scale for each block. PyTorch has no
 * blocks: the oracle is the definition, computed number by number.
 */
import { describe, expect, it } from 'vitest';
import { gradient, gradientName } from '../../gradient/gradient.ts';
import { GraphBuilder } from '../../model/builder.ts';
import type { Model } from '../../model/model.ts';
import { elementTypeNumber } from '../../tensor/element-type.ts';
import { tensor } from '../../tensor/tensor.ts';
import { ortSession, OrtTensor } from '../../testing/ort.ts';

const ROWS = 3;
const COLUMNS = 10;
const WEIGHTS = Float32Array.from({ length: ROWS * COLUMNS }, (_, at) => Math.sin(at + 0.5));
const X = Float32Array.from({ length: ROWS * COLUMNS }, (_, at) => 2 * Math.cos(3 * at));

interface Grid {
  readonly opset: number;
  readonly type: 'int8' | 'int4';
  readonly shape: readonly number[];
  readonly scales: readonly number[];
  readonly attributes: Readonly<Record<string, number>>;
}

/** x → integers → y, and the loss Σ w·y. */
function rounded({ opset, type, shape, scales, attributes }: Grid): Model {
  const graph = new GraphBuilder('rounded');
  graph.input('x', 'float32', [ROWS, COLUMNS]);
  const scale = graph.initializer('scale', tensor('float32', shape, Float32Array.from(scales)));
  const weights = graph.initializer('w', tensor('float32', [ROWS, COLUMNS], WEIGHTS));
  const zero = () => graph.initializer('zero', tensor('int8', shape, new Int8Array(scales.length)));
  const grid = type === 'int8' ? [scale, zero()] : [scale];
  const asked = type === 'int4' ? { output_dtype: elementTypeNumber('int4') } : {};
  const [q] = graph.node('QuantizeLinear', ['x', ...grid], { ...attributes, ...asked });
  const [y] = graph.node('DequantizeLinear', [q, ...grid], attributes);
  const [weighted] = graph.node('Mul', [y, weights], {});
  graph.node('ReduceSum', [weighted], { keepdims: 0 }, { outputs: ['loss'] });
  graph.output('loss', 'float32', []);
  return graph.model({ opset, irVersion: 10 });
}

async function gradientOf(grid: Grid): Promise<Float32Array> {
  const session = await ortSession(gradient(rounded(grid), { loss: 'loss', inputs: ['x'] }));
  const results = await session.run({ x: new OrtTensor('float32', X, [ROWS, COLUMNS]) });
  await session.release();
  return results[gradientName('x')]!.data as Float32Array;
}

/** The gradient passes where the rounded number is an integer of the type. */
function expected(scaleAt: (row: number, column: number) => number, most: number): number[] {
  return Array.from(X, (value, at) => {
    const step = Math.round(value / scaleAt(Math.floor(at / COLUMNS), at % COLUMNS));
    return step < -most - 1 || step > most ? 0 : WEIGHTS[at]!;
  });
}

function expectClose(found: Float32Array, wanted: readonly number[]): void {
  const clipped = wanted.filter((each) => each === 0).length;
  expect(clipped).toBeGreaterThan(0);
  expect(clipped).toBeLessThan(wanted.length);
  wanted.forEach((each, at) => expect(found[at]).toBeCloseTo(each, 5));
}

const SCALES = [0.01, 0.012, 0.014];

describe('one scale', () => {
  it.each(Array.from({ length: 13 }, (_, i) => 10 + i))('opset %i', async (opset) => {
    const grid = { opset, type: 'int8', shape: [], scales: [0.01], attributes: {} } as const;
    expectClose(
      await gradientOf(grid),
      expected(() => 0.01, 127),
    );
  });
});

describe('a scale for each row', () => {
  it.each([13, 17, 21])('opset %i', async (opset) => {
    const attributes = { axis: -2 };
    const grid = { opset, type: 'int8', shape: [3], scales: SCALES, attributes } as const;
    expectClose(
      await gradientOf(grid),
      expected((row) => SCALES[row]!, 127),
    );
  });
});

it('takes 4 bits with a scale for each block, also where the last block is short', async () => {
  const scales = Array.from({ length: 9 }, (_, at) => 0.15 + 0.02 * at);
  const attributes = { axis: 1, block_size: 4 };
  const grid = { opset: 21, type: 'int4', shape: [3, 3], scales, attributes } as const;
  const at = (row: number, column: number) => scales[row * 3 + Math.floor(column / 4)]!;
  expectClose(await gradientOf(grid), expected(at, 7));
});
