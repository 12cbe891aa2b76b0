import { setImmediate as turn } from 'node:timers/promises';
import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { SkeinError } from '@skein/api';
import { createInflater } from './inflate.ts';

const zeros = Buffer.alloc(8 * 2 ** 20);
const bomb = gzipSync(zeros);
const limits = { tenant: 'a', maxBytes: 2 ** 30, take: () => {} };

describe('a compressed message', () => {
  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ])('is inflated from %s', async (encoding, compress) => {
    const inflater = createInflater();
    for (const bytes of [Buffer.from('abc'), Buffer.alloc(0), zeros]) {
      expect(bytes.equals(await inflater.inflate(compress(bytes), encoding, limits))).toBe(true);
    }
  });

  test('is given up at its limit, and at what its tenant may hold, while it grows', async () => {
    const inflater = createInflater();
    let taken = 0;
    const take = (bytes: number) => {
      taken += bytes;
      if (taken > 3 * 2 ** 20) throw new SkeinError('BODIES_TOO_LARGE', 'Too much.');
    };
    await expect(inflater.inflate(bomb, 'gzip', { ...limits, take })).rejects.toMatchObject({
      code: 'BODIES_TOO_LARGE',
    });
    taken = 0;
    await expect(
      inflater.inflate(bomb, 'gzip', { ...limits, maxBytes: 2 ** 20, take }),
    ).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
    // It stopped there: not all of the eight megabytes were counted.
    expect(taken).toBeLessThanOrEqual(2 ** 20);
  });

  test.each(['', 'identity', 'zstd', 'br', 'gzip, gzip', 'constructor', '__proto__'])(
    'is refused in the encoding %j',
    async (encoding) => {
      await expect(createInflater().inflate(bomb, encoding, limits)).rejects.toMatchObject({
        code: 'ENCODING_UNSUPPORTED',
      });
    },
  );

  test('is inflated with few others, and tenants alternate', async () => {
    const inflater = createInflater();
    const ended: string[] = [];
    const open = new Set<string>();
    let most = 0;
    const run = (tenant: string, index: number) => {
      const name = `${tenant}${index}`;
      const take = (): void => {
        open.add(name);
        most = Math.max(most, open.size);
      };
      return inflater.inflate(bomb, 'gzip', { ...limits, tenant, take }).then(() => {
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
