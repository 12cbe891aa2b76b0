/** The sizes of graphs, against an exact count, and what a graph promises on random attacks. */
import { describe, expect, it } from 'vitest';
import { graphTerms, log2Tail, quorum } from './graph.ts';
import { graphOf } from './pairwise/graph.ts';
import { randomBytes } from './crypto/suite.ts';

const rosterOf = (sites: number) => Array.from({ length: sites }, () => new Uint8Array(32));

it('needs more than two thirds of the sites', () => {
  expect([2, 3, 4, 6, 9, 100].map(quorum)).toEqual([2, 3, 3, 5, 7, 67]);
});

it('counts tails as enumeration does', () => {
  // 4 of 10 sites are marked; 5 are drawn: C(4,3)·C(6,2) + C(4,4)·C(6,1) of C(10,5).
  expect(2 ** log2Tail(10, 4, 5, 3)).toBeCloseTo((4 * 15 + 6) / 252, 12);
  expect(log2Tail(10, 4, 5, 0)).toBeCloseTo(0, 12);
  expect(log2Tail(10, 4, 5, 5)).toBe(-Infinity);
});

it.each([
  [64, 1 / 3, Infinity, 43],
  [100, 1 / 3, 41, 61],
  [1000, 1 / 3, 113, 153],
  [1000, 1 / 5, 74, 89],
  [1000, 1 / 20, 40, 37],
  [10_000, 1 / 5, 87, 105],
])(
  '%i sites with a corrupt share of %f: %f neighbours on each side',
  (sites, corrupt, reach, threshold) => {
    expect(graphTerms({ roster: rosterOf(sites), corrupt }, sites)).toMatchObject({
      reach,
      threshold,
    });
  },
);

it('refuses what no 255 shares protect', () => {
  const graph = () => graphTerms({ roster: rosterOf(10_000) }, 10_000);
  expect(graph).toThrow(/protocol B/);
});

describe('a ring of 300', () => {
  const present = Array.from({ length: 300 }, (_, site) => site);
  const context = {
    run: 'r',
    round: 0,
    plan: randomBytes(32),
    roster: rosterOf(300),
    length: 1,
    bits: 8,
    corrupt: 0.1,
  };

  it('has symmetric neighbours, and an order that the seed decides', async () => {
    const { reach } = graphTerms(context, 300);
    const graph = await graphOf(context, present, randomBytes(32));
    for (const site of present) {
      const near = graph.neighbours(site);
      expect(new Set(near).size).toBe(2 * reach);
      expect(near.every((other) => graph.neighbours(other).includes(site))).toBe(true);
    }
    const other = await graphOf(context, present, randomBytes(32));
    expect(other.neighbours(0)).not.toEqual(graph.neighbours(0));
  });

  it('connects honest survivors wherever it accepts the survivors', async () => {
    const graph = await graphOf(context, present, randomBytes(32));
    const corrupt = new Set(Array.from({ length: 30 }, (_, at) => at * 10));
    // The server drops all neighbours of site 1: it would be alone.
    const alone = new Set(present.filter((site) => !graph.neighbours(1).includes(site)));
    expect(graph.connects(alone)).toBe(false);
    expect(graph.connects(new Set(present))).toBe(true);
    for (let trial = 0; trial < 30; trial++) {
      const survivors = new Set(present.filter(() => Math.random() < 0.85));
      if (!graph.connects(survivors)) continue;
      const honest = [...survivors].filter((site) => !corrupt.has(site));
      const reached = new Set([honest[0]!]);
      for (const site of reached) {
        for (const near of graph.neighbours(site)) {
          if (survivors.has(near) && !corrupt.has(near)) reached.add(near);
        }
      }
      expect(reached.size).toBe(honest.length);
    }
  });
});
