/** Placement, residency and holdings give the results of their rules when each step checks everything again. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MIN_RESIDENCY_MS } from '../tuning.ts';
import {
  decideHoldings,
  type MemberHoldings,
  type PlacedDeployment,
  evictionFor,
} from './holdings.ts';
import { place } from './placement.ts';
import { planResidency, type Resident } from './residency.ts';
import { decideNaively, placeNaively, planNaively, evictNaively } from './testing/naive.ts';

const NOW = 10 * MIN_RESIDENCY_MS;
/** In any order, because no result may depend on it. */
const shuffled = <T>(all: readonly T[]) =>
  fc.shuffledSubarray([...all], { minLength: all.length, maxLength: all.length });
/** Few enough bytes that equal ones, and sums that fit exactly, are frequent. */
const bytes = fc.nat(6);

const members = fc
  .array(fc.nat(20), { minLength: 1, maxLength: 6 })
  .chain((sizes) => shuffled(sizes.map((memoryBytes, i) => ({ id: `m${i}`, memoryBytes }))));
const versions = fc
  .array(bytes, { maxLength: 8 })
  .chain((sizes) => shuffled(sizes.map((of, i) => ({ id: `v${i}`, bytes: of }))));

/** Loaded about a residency ago, at the very moment too, and used at different times. */
const resident = (id: string, index: number) =>
  fc
    .record({
      bytes,
      loadedAgoMs: fc.constantFrom(0, MIN_RESIDENCY_MS - 1, MIN_RESIDENCY_MS, NOW),
      used: fc.nat(20),
    })
    .map(({ bytes: of, loadedAgoMs, used }): Resident => {
      const usedAt = 10 * used + index;
      return { id, bytes: of, loadedAt: NOW - loadedAgoMs, usedAt };
    });
const residentsOf = (ids: readonly string[]) =>
  fc.subarray([...ids]).chain((some) => fc.tuple(...some.map(resident)));

const IDS = ['d0', 'd1', 'd2', 'd3', 'd4', 'd5'];

describe('as by looking at everything again', () => {
  test('versions are placed', () => {
    fc.assert(
      fc.property(members, versions, (fleet, of) => {
        const { members: placed, unplaced } = place(fleet, of);
        const expected = placeNaively(fleet, of);
        expect(placed).toEqual(expected);
        const largestBytes = Math.max(...fleet.map(({ memoryBytes }) => memoryBytes));
        const without = of.filter(({ id }) => expected.get(id)!.length === 0);
        expect(new Map(unplaced.map((each) => [each.version, each]))).toEqual(
          new Map(
            without.map(({ id, bytes: size }) => {
              const reason = size <= largestBytes ? 'full' : 'size';
              return [id, { version: id, bytes: size, largestBytes, reason }];
            }),
          ),
        );
      }),
      { numRuns: 500 },
    );
  });

  test('a member plans what it loads and unloads', () => {
    const wanted = shuffled(IDS).chain((ids) =>
      fc.tuple(
        ...ids
          .slice(0, 4)
          .map((id) => fc.record({ id: fc.constant(id), bytes, urgent: fc.boolean() })),
      ),
    );
    fc.assert(
      fc.property(
        wanted,
        residentsOf([...IDS, 'e0', 'e1', 'e2']),
        fc.nat(25),
        (of, held, budget) => {
          const { load, unload } = planResidency(of, held, budget, NOW);
          const expected = planNaively(of, held, budget, NOW);
          expect({ load, unload: [...unload].sort() }).toEqual({
            load: expected.load,
            unload: expected.unload.sort(),
          });
        },
      ),
      { numRuns: 2000 },
    );
  });

  const deployment = (id: string) =>
    fc.record({
      id: fc.constant(id),
      // Versions of two deployments may be the same file.
      versions: fc.array(
        fc.record({ digest: fc.constantFrom('a', 'b', `of ${id}`), expectedBytes: bytes }),
        { minLength: 1, maxLength: 2 },
      ),
      replicas: fc.nat(2),
    });
  const member = (id: string) =>
    fc.record({
      id: fc.constant(id),
      budgetBytes: fc.nat(25),
      measured: fc.dictionary(fc.constantFrom('a', 'b', ...IDS.map((each) => `of ${each}`)), bytes),
      held: fc.subarray(IDS).map((some) => new Set(some)),
    });
  const fleets: fc.Arbitrary<{ all: MemberHoldings[]; deployments: PlacedDeployment[] }> =
    fc.record({
      all: fc
        .nat(3)
        .chain((more) => fc.tuple(...['m2', 'm0', 'm1', 'm3'].slice(0, 1 + more).map(member))),
      deployments: fc.subarray(IDS).chain((some) => fc.tuple(...some.map(deployment))),
    });

  test('a member decides what it holds, keeps for others, and gives up', () => {
    fc.assert(
      fc.property(fleets, residentsOf([...IDS, 'removed']), fc.nat(3), (fleet, held, at) => {
        const { all, deployments } = fleet;
        const { id: self } = all[at % all.length]!;
        const decided = decideHoldings(self, all, deployments, held, NOW);
        const plain = new Map(
          [...decided].map(([id, { isHere, others, isKeeper, isCovered }]) => [
            id,
            { isHere, others, isKeeper, isCovered },
          ]),
        );
        expect(plain).toEqual(decideNaively(self, all, deployments, held, NOW));
      }),
      { numRuns: 5000 },
    );
  });

  test('a member frees memory for what is loaded now', () => {
    const holding = fc.record({
      isHere: fc.boolean(),
      others: fc.nat(2),
      isKeeper: fc.boolean(),
      isCovered: fc.boolean(),
    });
    const holdings = fc.tuple(...IDS.map((id) => fc.tuple(fc.constant(id), holding)));
    fc.assert(
      fc.property(residentsOf([...IDS, 'removed']), holdings, fc.nat(25), (held, of, budget) => {
        const eviction = evictionFor('d0', held, budget, new Map(of));
        const { unload, isComing } = evictNaively('d0', held, budget, new Map(of));
        const isEnough = unload !== undefined;
        expect(eviction).toEqual({ unload: unload ?? [], isEnough, isComing });
      }),
      { numRuns: 1000 },
    );
  });
});
