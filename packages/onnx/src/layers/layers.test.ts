/** Each layer against a simple loop, and whole models against the checker. */
import { describe, expect, it } from 'vitest';
import { checkModel } from '../model/check.ts';
import { gradient } from '../gradient/gradient.ts';
import { inferShapes } from '../infer/inference.ts';
import { withLoss } from '../loss/loss.ts';
import { writeModel, type Model } from '../model/model.ts';
import { trainableParameters } from '../passes/freeze.ts';
import { signatureOf } from '../model/signature.ts';
import { ortRun, OrtTensor } from '../testing/ort.ts';
import { activation, type Activation } from './activation.ts';
import { averagePool, conv, globalAveragePool, maxPool } from './conv.ts';
import { dense } from './dense.ts';
import type { Layer } from './layer.ts';
import { batchNorm, layerNorm } from './norm.ts';
import { residual, sequential } from './sequential.ts';
import { dropout, flatten, reshape } from './shape.ts';
import { attention, embedding, positions, transformerBlock } from './transformer.ts';

const BATCH = 2;

function weights(model: Model, name: string): Float32Array {
  const { rawData } = model.graph!.initializer.find((each) => each.name === name)!;
  return new Float32Array(rawData.slice().buffer);
}

/** Runs layers over a batch of waves; also checks that the promised shape is the real one. */
async function apply(shape: readonly number[], ...layers: readonly Layer[]) {
  const model = sequential({ input: { shape }, layers, seed: 5 });
  checkModel(model);
  const size = shape.reduce((all, dimension) => all * dimension, BATCH);
  const x = Float32Array.from({ length: size }, (_, i) => Math.sin(1 + i * 0.7));
  const { y } = await ortRun(model, { x: new OrtTensor('float32', x, [BATCH, ...shape]) });
  const promised = signatureOf(model).outputs[0]!.shape.slice(1) as number[];
  expect(y).toHaveLength(promised.reduce((all, dimension) => all * dimension, BATCH));
  return { model, x, y: y!, promised };
}

function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  for (let i = 0; i < expected.length; i++) expect(actual[i]).toBeCloseTo(expected[i]!, 4);
}

describe('activation', () => {
  const erf = (z: number): number => {
    // Its series, which converges everywhere.
    let term = z;
    let sum = z;
    for (let n = 1; n < 60; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  };
  const oracle: Record<Activation, (v: number) => number> = {
    none: (v) => v,
    relu: (v) => Math.max(v, 0),
    leakyRelu: (v) => (v < 0 ? 0.01 * v : v),
    tanh: Math.tanh,
    sigmoid: (v) => 1 / (1 + Math.exp(-v)),
    silu: (v) => v / (1 + Math.exp(-v)),
    gelu: (v) => v * 0.5 * (1 + erf(v / Math.SQRT2)),
  };
  it.each(Object.keys(oracle) as Activation[])('%s', async (kind) => {
    const { x, y } = await apply([7], activation(kind));
    expectClose(y, [...x].map(oracle[kind]));
  });

  it('is refused where there is none of that name', () => {
    const layers = [dense({ units: 2, activation: 'rely' as Activation })];
    expect(() => sequential({ input: { shape: [3] }, layers, seed: 1 })).toThrow(
      "There is no activation 'rely'.",
    );
  });
});

describe('dense', () => {
  it('works over the last axis, for any leading axes', async () => {
    const { model, x, y } = await apply([3, 4], dense({ units: 2 }));
    const w = weights(model, '0.weight');
    const expected = Array.from({ length: BATCH * 3 * 2 }, (_, i) => {
      const [row, unit] = [Math.floor(i / 2), i % 2];
      return [0, 1, 2, 3].reduce((sum, k) => sum + x[row * 4 + k]! * w[k * 2 + unit]!, 0);
    });
    expectClose(y, expected);
  });

  it('has no bias when it is asked for none', async () => {
    const { model } = await apply([4], dense({ units: 2, bias: false }));
    expect(model.graph!.initializer.map(({ name }) => name)).toEqual(['0.weight']);
  });
});

describe('conv', () => {
  it.each([
    [{ filters: 3, kernel: 3, stride: 2, activation: 'relu' }, 1],
    [{ filters: 4, kernel: 3, dilation: 2, groups: 2 }, 2],
    [{ filters: 2, kernel: 2, padding: 0 }, 0],
    [{ filters: 2, kernel: 1 }, 0],
  ] as const)('%j computes what a loop computes', async (options, pad) => {
    const [channels, height, width] = [2, 6, 5];
    const { kernel, filters } = options;
    const {
      stride = 1,
      dilation = 1,
      groups = 1,
    } = options as { stride?: number; dilation?: number; groups?: number };
    const { model, x, y, promised } = await apply([channels, height, width], conv(options));
    const w = weights(model, '0.weight');
    const each = channels / groups;
    const expected: number[] = [];
    for (let n = 0; n < BATCH; n++) {
      for (let out = 0; out < filters; out++) {
        const first = Math.floor(out / (filters / groups)) * each;
        for (let row = 0; row < promised[1]!; row++) {
          for (let column = 0; column < promised[2]!; column++) {
            let sum = 0;
            for (let c = 0; c < each; c++) {
              for (let i = 0; i < kernel; i++) {
                for (let j = 0; j < kernel; j++) {
                  const r = row * stride + i * dilation - pad;
                  const s = column * stride + j * dilation - pad;
                  if (r < 0 || s < 0 || r >= height || s >= width) continue;
                  const pixel = x[((n * channels + first + c) * height + r) * width + s]!;
                  sum += pixel * w[((out * each + c) * kernel + i) * kernel + j]!;
                }
              }
            }
            expected.push('activation' in options ? Math.max(sum, 0) : sum);
          }
        }
      }
    }
    expectClose(y, expected);
  });

  it('refuses invalid options, naming the layer', () => {
    const build = (...layers: Layer[]) =>
      sequential({ input: { shape: [3, 8, 8] }, layers, seed: 1 });
    expect(() => build(conv({ filters: 4, kernel: 2 }))).toThrow(
      /Layer 0: conv keeps its size only with an odd kernel/,
    );
    expect(() => build(flatten(), conv({ filters: 4, kernel: 3 }))).toThrow(/Layer 1: conv takes/);
    expect(() => build(residual(conv({ filters: 4, kernel: 3, groups: 2 })))).toThrow(
      /Layer 0.0: conv cannot split 3/,
    );
    expect(() => build(residual(flatten()))).toThrow(/Layer 0: residual cannot add/);
    expect(() => build(reshape([5]))).toThrow(/Layer 0: reshape cannot make/);
    for (const units of [0, -2, 2.5, undefined] as number[]) {
      expect(() => build(dense({ units }))).toThrow(/Layer 0: units of dense must be a whole/);
    }
  });
});

describe('pooling', () => {
  const [channels, height, width] = [2, 5, 4];
  const windows = (x: Float32Array, pick: (values: number[]) => number): number[] => {
    const found: number[] = [];
    for (let plane = 0; plane < BATCH * channels; plane++) {
      for (let row = 0; row < 2; row++) {
        for (let column = 0; column < 2; column++) {
          const at = (i: number, j: number) =>
            x[(plane * height + row * 2 + i) * width + column * 2 + j]!;
          found.push(pick([at(0, 0), at(0, 1), at(1, 0), at(1, 1)]));
        }
      }
    }
    return found;
  };
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

  it('takes the greatest or the mean of windows', async () => {
    const greatest = await apply([channels, height, width], maxPool());
    expectClose(
      greatest.y,
      windows(greatest.x, (values) => Math.max(...values)),
    );
    const average = await apply([channels, height, width], averagePool({ size: 2 }));
    expectClose(average.y, windows(average.x, mean));
  });

  it('takes the mean of a whole channel', async () => {
    const { x, y } = await apply([channels, height, width], globalAveragePool());
    const area = height * width;
    expectClose(
      y,
      Array.from({ length: BATCH * channels }, (_, i) =>
        mean([...x.subarray(i * area, (i + 1) * area)]),
      ),
    );
  });
});

describe('normalisation', () => {
  it('makes each example have no mean and one variance', async () => {
    const { y } = await apply([3, 8], layerNorm());
    for (let row = 0; row < BATCH * 3; row++) {
      const values = y.slice(row * 8, row * 8 + 8);
      const mean = values.reduce((a, b) => a + b, 0) / 8;
      expect(mean).toBeCloseTo(0, 5);
      expect(values.reduce((a, b) => a + (b - mean) ** 2, 0) / 8).toBeCloseTo(1, 3);
    }
  });

  it('by batch returns x before any training', async () => {
    const { x, y } = await apply([2, 3, 3], batchNorm({ epsilon: 1e-12 }));
    expectClose(y, [...x]);
  });
});

it('dropout returns x outside of training', async () => {
  const { x, y } = await apply([9], dropout(0.5));
  expectClose(y, [...x]);
});

describe('attention', () => {
  it.each([false, true])('computes the same as a loop, causal: %s', async (causal) => {
    const [length, width, heads] = [5, 6, 2];
    const depth = width / heads;
    const { model, x, y } = await apply([length, width], attention({ heads, causal }));
    const wIn = weights(model, '0.qkv.weight');
    const wOut = weights(model, '0.out.weight');
    const times = (row: number[], w: Float32Array, units: number) =>
      Array.from({ length: units }, (_, u) =>
        row.reduce((sum, v, k) => sum + v * w[k * units + u]!, 0),
      );
    const expected: number[] = [];
    for (let n = 0; n < BATCH; n++) {
      const rows = Array.from({ length }, (_, at) => {
        const start = (n * length + at) * width;
        return times([...x.subarray(start, start + width)], wIn, 3 * width);
      });
      for (let at = 0; at < length; at++) {
        const mixed: number[] = [];
        for (let head = 0; head < heads; head++) {
          const part = (row: number[], which: number) =>
            row.slice(which * width + head * depth, which * width + (head + 1) * depth);
          const scores = rows.map((row, other) =>
            causal && other > at
              ? -Infinity
              : part(rows[at]!, 0).reduce((sum, q, d) => sum + q * part(row, 1)[d]!, 0) /
                Math.sqrt(depth),
          );
          const top = Math.max(...scores);
          const powers = scores.map((score) => Math.exp(score - top));
          const whole = powers.reduce((a, b) => a + b, 0);
          for (let d = 0; d < depth; d++) {
            mixed.push(
              rows.reduce(
                (sum, row, other) => sum + (powers[other]! / whole) * part(row, 2)[d]!,
                0,
              ),
            );
          }
        }
        expected.push(...times(mixed, wOut, width));
      }
    }
    expectClose(y, expected);
  });
});

describe('a whole model', () => {
  const transformer = (seed: number) =>
    sequential({
      input: { name: 'tokens', type: 'int64', shape: [8] },
      layers: [
        embedding({ vocabulary: 11, width: 12 }),
        positions(),
        transformerBlock({ heads: 3, causal: true, drop: 0.1 }),
        layerNorm(),
        dense({ units: 11 }),
      ],
      output: 'logits',
      seed,
    });

  it('is the same for the same seed, and its shapes are inferred', () => {
    expect(writeModel(transformer(1))).toEqual(writeModel(transformer(1)));
    expect(writeModel(transformer(2))).not.toEqual(writeModel(transformer(1)));
    const logits = inferShapes(transformer(1)).get('logits');
    expect(logits).toMatchObject({ type: 'float32', shape: ['batch', 8, 11] });
  });

  it('has exactly its weights as trainable parameters', () => {
    const model = transformer(1);
    const lossy = withLoss(model, { loss: { kind: 'cross-entropy' } });
    const names = trainableParameters(lossy);
    const weightNames = model
      .graph!.initializer.map(({ name }) => name)
      .filter((name) => /(weight|bias)$/.test(name));
    expect([...names].sort()).toEqual(weightNames.sort());
    expect(gradient(lossy.model, lossy).graph!.node.length).toBeGreaterThan(0);
  });
});
