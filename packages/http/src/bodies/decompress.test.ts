import { setImmediate as turn } from 'node:timers/promises';
import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { SkeinError } from '@skein/api';
import { createDecompress } from './decompress.ts';

const zeros = Buffer.alloc(8 * 2 ** 20);
const bomb = gzipSync(zeros);
/** Its memory is given back. */
const copyOf = (bytes: Uint8Array): Buffer => Buffer.from(new Uint8Array(bytes).buffer);
const limits = { tenant: 'a', maxBytes: 2 ** 30, take: () => {}, isMuchHeld: () => false };

describe('a compressed message', () => {
  test.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
  ] as const)('is inflated from %s', async (encoding, compress) => {
    const decompress = createDecompress();
    for (const bytes of [Buffer.from('abc'), Buffer.alloc(0), zeros]) {
      expect(bytes.equals(await decompress(compress(bytes), encoding, limits))).toBe(true);
    }
  });

  test('is given up at its limit, and at what its tenant may hold, while it grows', async () => {
    const decompress = createDecompress();
    let taken = 0;
    const take = (bytes: number) => {
      taken += bytes;
      if (taken > 3 * 2 ** 20) throw new SkeinError('BODIES_TOO_LARGE', 'Too much.');
    };
    await expect(decompress(copyOf(bomb), 'gzip', { ...limits, take })).rejects.toMatchObject({
      code: 'BODIES_TOO_LARGE',
    });
    taken = 0;
    await expect(
      decompress(copyOf(bomb), 'gzip', { ...limits, maxBytes: 2 ** 20, take }),
    ).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
    // It stopped there: not all of the eight megabytes were counted.
    expect(taken).toBeLessThanOrEqual(2 ** 20);
  });

  test('leaves no memory but its result, and none when it fails', async () => {
    const decompress = createDecompress();
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow');
    const kept = () =>
      allocate.mock.results.filter(({ value }) => !(value.buffer as ArrayBuffer).detached);
    // Without a length, so that the buffer grows.
    const compressed = Buffer.from(new Uint8Array(deflateSync(zeros)).buffer);
    const { buffer } = await decompress(compressed, 'deflate', limits);
    expect(compressed.buffer.detached).toBe(true);
    expect(allocate.mock.results.length).toBeGreaterThan(2);
    expect(kept().map(({ value }) => value.buffer === buffer)).toEqual([true]);
    allocate.mockClear();
    const cut = decompress(copyOf(bomb.subarray(0, -20)), 'gzip', limits);
    await expect(cut).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    expect(allocate.mock.results.length).toBeGreaterThan(0);
    expect(kept().length).toBe(0);
    allocate.mockRestore();
  });

  test('is inflated with few others, and tenants alternate', async () => {
    const decompress = createDecompress();
    const ended: string[] = [];
    const open = new Set<string>();
    let most = 0;
    const run = (tenant: string, index: number) => {
      const name = `${tenant}${index}`;
      const take = (): void => {
        open.add(name);
        most = Math.max(most, open.size);
      };
      return decompress(copyOf(bomb), 'gzip', { ...limits, tenant, take }).then(() => {
        open.delete(name);
        ended.push(name);
      });
    };
    const greedy = Array.from({ length: 40 }, (_, index) => run('greedy', index));
    await turn();
    const modest = run('modest', 0);
    await Promise.all([...greedy, modest]);
    expect(most).toBeLessThanOrEqual(4);
    // Requests in progress, and one more of the flooding tenant, may end before it.
    expect(ended.indexOf('modest0')).toBeLessThan(12);
  });
});
