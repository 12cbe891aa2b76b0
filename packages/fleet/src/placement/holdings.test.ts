import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MIN_RESIDENCY_MS } from '../tuning.ts';
import {
  decideHoldings,
  type MemberHoldings,
  memoryOf,
  type PlacedDeployment,
  placeDeployments,
  evictionFor,
} from './holdings.ts';
import type { Resident } from './residency.ts';

const SECOND = 1000;

/** Members that decide one after another, each second, by what all of them published in the last one. */
class Fleet {
  now = 0;
  readonly budgets: Map<string, number>;
  deployments: PlacedDeployment[] = [];
  readonly held = new Map<string, Map<string, Resident>>();
  /** Deployments that had a holder before a step and none after it. */
  readonly gaps: string[] = [];

  constructor(budgets: readonly number[]) {
    this.budgets = new Map(budgets.map((bytes, i) => [`m${i}`, bytes]));
    for (const id of this.budgets.keys()) this.held.set(id, new Map());
  }

  deploy(id: string, expectedBytes: number): void {
    this.deployments.push({ id, versions: [{ digest: id, expectedBytes }], replicas: 1 });
  }

  holders(deployment: string): string[] {
    return [...this.held].flatMap(([id, held]) => (held.has(deployment) ? [id] : []));
  }

  filled(member: string): number {
    return [...this.held.get(member)!.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  published(): MemberHoldings[] {
    return [...this.budgets]
      .filter(([id]) => this.held.has(id))
      .map(([id, budgetBytes]) => ({
        id,
        budgetBytes,
        measured: {},
        held: new Set(this.held.get(id)!.keys()),
      }));
  }

  /** @returns whether anything has changed. */
  step(): boolean {
    this.now += SECOND;
    const published = this.published();
    const before = new Set(
      this.deployments.map(({ id }) => id).filter((id) => this.holders(id)[0]),
    );
    let changed = false;
    for (const [id, held] of this.held) {
      const residents = [...held.values()];
      const decided = decideHoldings(id, published, this.deployments, residents, this.now);
      for (const [deployment, { isHere }] of decided) {
        if (isHere === held.has(deployment)) continue;
        changed = true;
        const bytes = this.deployments.find((each) => each.id === deployment)!.versions[0]!
          .expectedBytes;
        const resident = { id: deployment, bytes, loadedAt: this.now, usedAt: this.now };
        if (isHere) held.set(deployment, resident);
        else held.delete(deployment);
      }
    }
    for (const id of before) if (this.holders(id).length === 0) this.gaps.push(id);
    return changed;
  }

  settle(): void {
    let quiet = 0;
    for (let i = 0; quiet < 2 * (MIN_RESIDENCY_MS / SECOND) && i < 2000; i++) {
      quiet = this.step() ? 0 : quiet + 1;
    }
  }
}

describe('members that decide for themselves what they hold', () => {
  test('hold everything while there is memory, and share it when there is not', () => {
    const fleet = new Fleet([10, 10]);
    fleet.deploy('a', 4);
    fleet.deploy('b', 4);
    fleet.settle();
    expect(fleet.filled('m0')).toBe(8);
    expect(fleet.filled('m1')).toBe(8);
    fleet.deploy('c', 4);
    fleet.deploy('d', 4);
    fleet.settle();
    for (const name of 'abcd') expect(fleet.holders(name)).toHaveLength(1);
  });

  test('never exceed a budget, keep a holder of every deployment that has one, and come to rest', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 5, max: 30 }), { minLength: 1, maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 10 }),
        (budgets, sizes) => {
          const fleet = new Fleet(budgets);
          sizes.forEach((bytes, i) => {
            fleet.deploy(`d${i}`, bytes);
            for (let step = 0; step < 5; step++) {
              fleet.step();
              for (const [id, budget] of fleet.budgets) {
                expect(fleet.filled(id)).toBeLessThanOrEqual(budget);
              }
            }
          });
          fleet.settle();
          expect(fleet.gaps).toEqual([]);
          expect(fleet.step()).toBe(false);
          // A deployment without a holder waits where it is placed, or anywhere when it has no place: the rest is
          // full of what is placed there too and of what no other member keeps.
          const published = fleet.published();
          const placed = placeDeployments(published, memoryOf(fleet.deployments, published));
          for (const { id, versions } of fleet.deployments) {
            if (fleet.holders(id).length > 0) continue;
            const places = placed?.members.get(id) ?? [];
            for (const [member, held] of fleet.held) {
              if (places.length > 0 && !places.includes(member)) continue;
              const staying = [...held.values()].filter(
                (resident) =>
                  placed?.members.get(resident.id)!.includes(member) ||
                  fleet.holders(resident.id)[0] === member,
              );
              const kept = staying.reduce((sum, { bytes }) => sum + bytes, 0);
              expect(kept + versions[0]!.expectedBytes).toBeGreaterThan(fleet.budgets.get(member)!);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('take over at once what a lost member held alone', () => {
    const fleet = new Fleet([10, 10]);
    for (const name of 'abcd') fleet.deploy(name, 4);
    fleet.settle();
    const orphans = [...fleet.held.get('m1')!.keys()];
    expect(orphans).toHaveLength(2);
    fleet.held.delete('m1');
    fleet.budgets.set('m2', 10);
    fleet.held.set('m2', new Map());
    fleet.budgets.delete('m1');
    // One second after another: what moves for an orphan has to be loaded elsewhere first.
    for (let step = 0; step < 4; step++) fleet.step();
    for (const name of 'abcd') expect(fleet.holders(name).length).toBeGreaterThan(0);
  });
});

const resident = (id: string, bytes: number, usedAt: number, loadedAt = 0): Resident => ({
  id,
  bytes,
  usedAt,
  loadedAt,
});

describe('evictionFor', () => {
  const holdings = new Map([
    ['only', { isKeeper: true, isHere: true, others: 0, isCovered: false }],
    ['kept', { isKeeper: true, isHere: false, others: 1, isCovered: true }],
    ['placed', { isKeeper: false, isHere: true, others: 1, isCovered: true }],
    ['spare', { isKeeper: false, isHere: false, others: 1, isCovered: true }],
    ['loading', { isKeeper: true, isHere: true, others: 0, isCovered: true }],
  ]);
  const all = [
    resident('only', 4, 0),
    resident('kept', 2, 0),
    resident('placed', 3, 1),
    resident('spare', 3, 2),
  ];

  test('gives up spare copies first, then those that it keeps longest, and never the last one', () => {
    const coming = (bytes: number) => [...all, resident('new', bytes, 9)];
    const unloaded = (bytes: number) => evictionFor('new', coming(bytes), 14, holdings).unload;
    expect(unloaded(2)).toEqual([]);
    expect(unloaded(5)).toEqual(['spare']);
    expect(unloaded(8)).toEqual(['spare', 'placed']);
    expect(unloaded(10)).toEqual(['spare', 'placed', 'kept']);
    const none = { unload: [], isEnough: false, isComing: false };
    expect(evictionFor('new', coming(11), 14, holdings)).toEqual(none);
  });

  test('finds whether there will be memory once others have loaded what is placed on them', () => {
    const coming = (bytes: number) => [
      ...all,
      resident('loading', 3, 3),
      resident('new', bytes, 9),
    ];
    expect(evictionFor('new', coming(7), 14, holdings).isEnough).toBe(true);
    expect(evictionFor('new', coming(10), 14, holdings)).toMatchObject({
      isEnough: false,
      isComing: true,
    });
    expect(evictionFor('new', coming(11), 14, holdings).isComing).toBe(false);
  });

  test('counts what is loaded with what it is about to take', () => {
    const place = (id: string, bytes: number): PlacedDeployment => ({
      id,
      versions: [{ digest: id, expectedBytes: bytes }],
      replicas: 1,
    });
    // A rollout of `a` needs two copies, and this member holds `b` and `c` alone.
    const deployments = [place('a', 8), place('b', 4), place('c', 4)];
    const held = [new Set(['a']), new Set(['a', 'b', 'c'])];
    const members = held.map((each, i): MemberHoldings => ({
      id: `m${i}`,
      budgetBytes: 14,
      measured: {},
      held: each,
    }));
    const own = ['a', 'b', 'c'].map((id) => resident(id, 4, 0));
    const placement = placeDeployments(members, memoryOf(deployments, members));
    const decided = decideHoldings('m1', members, deployments, own, 1e9);
    expect(decided.get('a')!.isHere).toBe(placement!.members.get('a')!.includes('m1'));
    expect(decided.get('b')!.isHere).toBe(true);
  });

  test('leaves a copy somewhere when all members free memory at once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 8, max: 20 }), { minLength: 2, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 4 }),
        (budgets, sizes, coming) => {
          const deployments = [...sizes, ...coming].map((expectedBytes, i): PlacedDeployment => ({
            id: `d${i}`,
            versions: [{ digest: `d${i}`, expectedBytes }],
            replicas: 1,
          }));
          const old = deployments.slice(0, sizes.length);
          // Each holds what fits, in its own order.
          const members = budgets.map((budgetBytes, m): MemberHoldings => {
            let free = budgetBytes;
            const held = new Set<string>();
            for (let i = 0; i < old.length; i++) {
              const { id, versions } = old[(i + m) % old.length]!;
              if (versions[0]!.expectedBytes > free) continue;
              free -= versions[0]!.expectedBytes;
              held.add(id);
            }
            return { id: `m${m}`, budgetBytes, measured: {}, held };
          });
          const kept = new Map(members.map(({ id, held }) => [id, new Set(held)]));
          for (const [m, { id, budgetBytes, held }] of members.entries()) {
            const own = deployments
              .filter((each) => held.has(each.id))
              .map((each) => resident(each.id, each.versions[0]!.expectedBytes, m));
            const decided = decideHoldings(id, members, deployments, own, 1e9);
            const { id: next, versions } = deployments[sizes.length + (m % coming.length)]!;
            const all = [...own, resident(next, versions[0]!.expectedBytes, 1e9)];
            for (const victim of evictionFor(next, all, budgetBytes, decided).unload) {
              // The hand-over: of those that give it up, the last one finds no other.
              const holders = [...kept.values()].filter((held) => held.has(victim));
              if (holders.length > 1) kept.get(id)!.delete(victim);
            }
          }
          const before = new Set(members.flatMap(({ held }) => [...held]));
          expect(new Set([...kept.values()].flatMap((held) => [...held]))).toEqual(before);
        },
      ),
      { numRuns: 300 },
    );
  });
});
