import { describe, expect, it } from 'vitest';
import { values, type NumericTensor } from '@skein/onnx';
import { arithmetic, float32, fours } from '../testing/models.ts';
import { nativeRuntime } from './native-runtime.ts';

const options = { device: 'cpu', threads: 1 } as const;
const open = (bytes: Uint8Array, more = {}) =>
  nativeRuntime.openInline!({ bytes }, { ...options, ...more });

describe('a session on the calling thread', () => {
  it('runs at once, and leaves its caller the feeds', async () => {
    const session = await open(arithmetic());
    const a = float32([3], 1, 2, 3);
    const feeds = new Map([
      ['a', a],
      ['b', float32([3], 4, 5, 6)],
    ]);
    const { outputs, inputMs, computeMs, outputMs } = session.run(feeds);
    expect([...outputs].map(([name, y]) => [name, ...values(y as NumericTensor)])).toEqual([
      ['sum', 5, 7, 9],
      ['product', 4, 10, 18],
    ]);
    expect(Math.min(inputMs, computeMs, outputMs)).toBeGreaterThanOrEqual(0);
    expect([...values(a)]).toEqual([1, 2, 3]);
    expect([...session.run(feeds, ['product']).outputs.keys()]).toEqual(['product']);
    session.close();
  });

  it('fails as a session in a worker does', async () => {
    const session = await open(fours());
    const run = (length: number, outputs?: readonly string[]) => () =>
      session.run(new Map([['x', float32([length], ...Array.from({ length }, () => 1))]]), outputs);
    expect(run(8)().outputs.get('y')).toMatchObject({ shape: [4, 2] });
    expect(run(7)).toThrow(/^Node 'reshape' \(Reshape\)/);
    expect(run(7)).toThrow(expect.objectContaining({ name: 'RuntimeFailure', kind: 'run' }));
    expect(run(8, ['z'])).toThrow(expect.objectContaining({ kind: 'run' }));
    expect(() => session.run(new Map())).toThrow(expect.objectContaining({ kind: 'run' }));
    const short = { ...float32([1], 1), shape: [8] };
    expect(() => session.run(new Map([['x', short]]))).toThrow(/takes 32 bytes, but 4 were given/);
    session.close();
    const small = await open(fours(), { maxOutputBytes: 31 });
    expect(() => small.run(new Map([['x', float32([8], 1, 2, 3, 4, 5, 6, 7, 8)]]))).toThrow(
      'The outputs take more than 31 bytes.',
    );
    small.close();
    await expect(open(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ kind: 'load' });
  });
});
