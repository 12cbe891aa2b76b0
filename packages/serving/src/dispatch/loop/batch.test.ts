import { stringTensor, tensor, values, type NumericTensor, type Tensor } from '@skein/onnx';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  commonOutputs,
  joinInputs,
  joinSteps,
  outputsOf,
  unevenOutput,
  type Member,
} from './batch.ts';

function floats(shape: readonly number[], from: number): NumericTensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return tensor(
    'float32',
    shape,
    Float32Array.from({ length: count }, (_, i) => from + i),
  );
}

function member(inputs: Record<string, Tensor>, outputs?: string[]): Member {
  return { inputs: new Map(Object.entries(inputs)), outputs };
}

describe('a batch', () => {
  test('gives every member its own rows, for any rows, types and alignment', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 7 }), (rows, offset) => {
        const members = rows.map((count, i) => {
          // A view in the middle of a request's body, like a face passes it.
          const body = new Uint8Array(count * 12 + offset);
          crypto.getRandomValues(body);
          const words = Array.from({ length: count * 2 }, (_, word) => `${i}/${word}`);
          return member({
            x: { type: 'int32', shape: [count, 3], bytes: body.subarray(offset) },
            words: stringTensor([count, 2], words),
          });
        });
        const total = rows.reduce((sum, count) => sum + count, 0);
        const joined = joinInputs(['x', 'words'], members, total);
        expect(joined.get('x')!.shape).toEqual([total, 3]);
        let from = 0;
        members.forEach((each, i) => {
          const own = outputsOf(each, joined, from, rows[i]!);
          from += rows[i]!;
          for (const name of ['x', 'words']) {
            const put = each.inputs.get(name)!;
            const got = own.get(name)!;
            expect(got.shape).toEqual(put.shape);
            if (put.type === 'string') expect(got).toEqual(put);
            else expect(Buffer.compare((got as NumericTensor).bytes, put.bytes)).toBe(0);
          }
        });
      }),
    );
  });

  test('copies a large input in steps, between which other work can run', () => {
    const bytes = new Uint8Array(20 * 2 ** 20);
    bytes[8 * 2 ** 20] = bytes[bytes.length - 1] = 7;
    const one = member({ x: { type: 'uint8', shape: [1, bytes.length], bytes } });
    const steps = joinSteps(['x'], [one], 1);
    for (const _ of [1, 2, 3]) expect(steps.next().done).toBe(false);
    const { done, value } = steps.next();
    expect(done).toBe(true);
    expect(Buffer.compare((value!.get('x') as NumericTensor).bytes, bytes)).toBe(0);
    expect(joinSteps(['x'], [member({ x: floats([1, 4], 0) })], 1).next().done).toBe(true);
  });

  test('copies once: its inputs have their own buffer, its outputs are views', () => {
    const one = member({ x: floats([1, 4], 0) });
    const joined = joinInputs(['x'], [one], 1).get('x') as NumericTensor;
    expect(joined.bytes.buffer).not.toBe((one.inputs.get('x') as NumericTensor).bytes.buffer);
    expect(joined.bytes.buffer.byteLength).toBe(16);
    const outputs = new Map([['y', floats([3, 2], 0)]]);
    const own = outputsOf(one, outputs, 1, 1).get('y') as NumericTensor;
    expect(own.bytes.buffer).toBe(outputs.get('y')!.bytes.buffer);
    expect([...values(own)]).toEqual([2, 3]);
  });

  test('never runs uninitialised bytes', () => {
    const moved = member({ x: floats([1, 4], 0) });
    structuredClone(moved.inputs, {
      transfer: [(moved.inputs.get('x') as NumericTensor).bytes.buffer as ArrayBuffer],
    });
    expect(() => joinInputs(['x'], [moved, member({ x: floats([1, 4], 0) })], 2)).toThrow(
      /detached/,
    );
    const short = member({ x: { type: 'float32', shape: [1, 4], bytes: new Uint8Array(12) } });
    expect(() => joinInputs(['x'], [short], 1)).toThrow(/changed/);
  });

  test('requests only the outputs of its members, if they agree', () => {
    const a = member({}, ['y']);
    expect(commonOutputs([a])).toEqual(['y']);
    expect(commonOutputs([a, member({}, ['y'])])).toEqual(['y']);
    expect(commonOutputs([a, member({}, ['z'])])).toBeUndefined();
    expect(commonOutputs([a, member({})])).toBeUndefined();
    expect(commonOutputs([member({}, [])])).toBeUndefined();
    const outputs = new Map([
      ['y', floats([1, 1], 0)],
      ['z', floats([1, 1], 0)],
    ]);
    expect([...outputsOf(a, outputs, 0, 1).keys()]).toEqual(['y']);
    expect([...outputsOf(member({}, []), outputs, 0, 1).keys()]).toEqual(['y', 'z']);
  });

  test('detects an output without its rows', () => {
    const outputs = new Map([
      ['y', floats([4, 1], 0)],
      ['total', floats([1], 0)],
    ]);
    expect(unevenOutput(outputs, 4)).toBe('total');
    expect(unevenOutput(new Map([['y', floats([4, 1], 0)]]), 4)).toBeUndefined();
    expect(unevenOutput(new Map([['scalar', floats([], 0)]]), 1)).toBe('scalar');
  });
});
