import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkModel } from '../model/check.ts';
import { mlp } from './mlp.ts';
import { writeModel, type Model } from '../model/model.ts';
import { signatureOf } from '../model/signature.ts';
import { ortRun, OrtTensor } from '../testing/ort.ts';

const digest = (model: Model) => createHash('sha256').update(writeModel(model)).digest('hex');

/** The initialiser's float32 values. */
function weights(model: Model, name: string): Float32Array {
  const { rawData } = model.graph!.initializer.find((each) => each.name === name)!;
  return new Float32Array(rawData.slice().buffer);
}

describe('mlp', () => {
  it.each([[[4]], [[]], [[4, -2]], [[4, 2.5]], [[4, Number.NaN]]])(
    'refuses the sizes %j',
    (sizes) => {
      expect(() => mlp({ sizes: sizes as unknown as [number, number], seed: 1 })).toThrow(
        /^sizes must be two or more whole numbers/,
      );
    },
  );

  it('is the benchmark’s model, the same bytes for the same seed', () => {
    const sizes = [784, 1024, 1024, 10] as const;
    const model = mlp({ sizes: [...sizes], seed: 1 });
    checkModel(model);
    expect(model.graph!.node.map(({ opType }) => opType)).toEqual([
      'Gemm',
      'Relu',
      'Gemm',
      'Relu',
      'Gemm',
    ]);
    expect(signatureOf(model)).toEqual({
      inputs: [{ name: 'x', type: 'float32', shape: ['batch', 784] }],
      outputs: [{ name: 'y', type: 'float32', shape: ['batch', 10] }],
    });
    expect(digest(mlp({ sizes: [...sizes], seed: 1 }))).toBe(digest(model));
    expect(digest(mlp({ sizes: [...sizes], seed: 2 }))).not.toBe(digest(model));
    expect(digest(model)).toMatchInlineSnapshot(
      `"4c395cfa1e8f18cefc0931cdcdd9488c66726a03249b25a99607501247f8200e"`,
    );
  });

  it('computes the same as a loop', async () => {
    const sizes = [5, 7, 3] as const;
    const model = mlp({ sizes: [...sizes], seed: 3 });
    let row = [1, -2, 0.5, 3, -0.25];
    const x = new OrtTensor('float32', Float32Array.from(row), [1, 5]);
    for (const layer of [0, 1]) {
      const w = weights(model, `layer${layer}.weight`);
      row = Array.from({ length: sizes[layer + 1]! }, (_, out) => {
        const sum = row.reduce((total, value, i) => total + value * w[out * row.length + i]!, 0);
        return layer === 0 ? Math.max(sum, 0) : sum;
      });
    }
    const { y } = await ortRun(model, { x });
    y!.forEach((value, i) => expect(value).toBeCloseTo(row[i]!, 5));
  });
});
