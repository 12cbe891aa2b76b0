import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gatherBytes, type Collective } from './collective.ts';
import type { Numbers } from './numbers.ts';
import { ringOf } from './testing/ring.ts';
import { sharedCollective, sharedMemory } from './threads/shared-collective.ts';

/** Ranks of each kind, which work at once in one process. */
const kinds: Record<string, (size: number) => Promise<Collective[]>> = {
  'shared memory': async (size) => {
    const memory = sharedMemory(size);
    return Array.from({ length: size }, (_, rank) =>
      sharedCollective(memory, { rank, size, timeoutMs: 60_000 }),
    );
  },
  'a ring of sockets': ringOf,
};

const numbers = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.fround(Math.sin(seed * 7919 + i * 13) * 100));

describe.each(Object.entries(kinds))('%s', (_, open) => {
  it('sums what the ranks have, with the same bits on each', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.oneof(fc.nat(40), fc.nat(3000)), { minLength: 1, maxLength: 3 }),
        async (size, lengths) => {
          const ranks = await open(size);
          const given = lengths.map((length, n) =>
            ranks.map((_, r) => numbers(length, n * 10 + r)),
          );
          const found = await Promise.all(
            ranks.map(async (rank) => {
              const sums: Numbers[] = [];
              for (const rows of given) {
                const { length } = rows[0]!;
                const own = rank.own('float32', length);
                const into = rank.common('float32', length);
                own.set(rows[rank.rank]!);
                await rank.sum(own, into);
                expect(own).toEqual(rows[rank.rank]);
                sums.push(into.slice());
                await rank.publish();
              }
              return sums;
            }),
          );
          given.forEach((rows, n) => {
            const [first] = found;
            rows[0]!.forEach((_, i) => {
              const wanted = rows.reduce((sum, row) => sum + row[i]!, 0);
              expect(Math.abs(first![n]![i]! - wanted)).toBeLessThan(1e-4);
            });
            for (const each of found) expect(each[n]).toEqual(first![n]);
          });
          await Promise.all(ranks.map((rank) => rank.close()));
        },
      ),
      { seed: 3, numRuns: 15 },
    );
  });

  it('gives every rank the values of all ranks, of any length', async () => {
    const ranks = await open(3);
    const lengths = [5, 0, 300_000];
    const rows = lengths.map(numbers);
    const found = await Promise.all(
      ranks.map((rank) => {
        const own = rank.own('float32', 300_000);
        own.set(rows[rank.rank]!);
        return rank.gather(own, lengths[rank.rank]!);
      }),
    );
    for (const each of found) expect(each).toEqual(rows);
    await Promise.all(ranks.map((rank) => rank.close()));
  });

  it('sums more numbers than fit into one message', async () => {
    // A bucket of two ranks holds 2 × 2¹⁸ numbers: three buckets, and the last is shorter.
    const length = 2 * 2 * 2 ** 18 + 77;
    const ranks = await open(2);
    const rows = [0, 1].map((rank) => numbers(length, rank));
    const found = await Promise.all(
      ranks.map(async (rank) => {
        const own = rank.own('float32', length);
        const into = rank.common('float32', length);
        own.set(rows[rank.rank]!);
        await rank.sum(own, into);
        return into;
      }),
    );
    const wanted = rows[0]!.map((each, i) => each + rows[1]![i]!);
    for (const each of found)
      expect(Buffer.from(each.buffer).equals(Buffer.from(wanted.buffer))).toBe(true);
    await Promise.all(ranks.map((rank) => rank.close()));
  });

  it('passes bytes on unchanged, also for NaN', async () => {
    const ranks = await open(3);
    const given = [
      Uint8Array.from({ length: 70_001 }, (_, i) => (i * 31) % 256),
      new Uint8Array(0),
      // Signalling and quiet NaNs, as floats of 4 bytes.
      Uint8Array.of(1, 0, 128, 127, 0, 0, 192, 255, 5),
    ];
    const found = await Promise.all(ranks.map((rank) => gatherBytes(rank, given[rank.rank]!)));
    for (const each of found)
      expect(each.map((bytes) => [...bytes])).toEqual(given.map((bytes) => [...bytes]));
    await Promise.all(ranks.map((rank) => rank.close()));
  });

  it('covers common numbers with the parts of those that share them', async () => {
    const ranks = await open(3);
    const parts = ranks.map((rank) => rank.part(10));
    const shared = parts.some(([from, to]) => to - from < 10);
    expect(parts).toEqual(
      shared
        ? [
            [0, 3],
            [3, 6],
            [6, 10],
          ]
        : [
            [0, 10],
            [0, 10],
            [0, 10],
          ],
    );
    await Promise.all(ranks.map((rank) => rank.close()));
  });
});
