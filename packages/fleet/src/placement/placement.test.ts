import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { place, type Placement, type PlacementMember, type PlacementVersion } from './placement.ts';

const fleet = (count: number, memoryBytes: number): PlacementMember[] =>
  Array.from({ length: count }, (_, i) => ({ id: `member-${i}`, memoryBytes }));
const versions = (count: number, bytes: (i: number) => number): PlacementVersion[] =>
  Array.from({ length: count }, (_, i) => ({ id: `model-${i}@1`, bytes: bytes(i) }));

const holds = ({ members }: Placement, member: string, version: string): boolean =>
  members.get(version)!.includes(member);
/** Bytes that a placement fills of a member. */
const filledOf = (
  placement: Placement,
  of: readonly PlacementVersion[],
  { id: member }: PlacementMember,
): number => of.reduce((sum, { id, bytes }) => sum + (holds(placement, member, id) ? bytes : 0), 0);

const members = fc
  .array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 12 })
  .map((sizes) => sizes.map((memoryBytes, i) => ({ id: `m${i}`, memoryBytes })));
const models = fc
  .array(fc.integer({ min: 1, max: 400 }), { maxLength: 40 })
  .map((sizes) => sizes.map((bytes, i) => ({ id: `v${i}`, bytes })));

describe('place', () => {
  test('gives every member every version when there is memory for all', () => {
    const placement = place(
      fleet(5, 100),
      versions(10, () => 10),
    );
    for (let i = 0; i < 5; i++) {
      for (let j = 0; j < 10; j++)
        expect(holds(placement, `member-${i}`, `model-${j}@1`)).toBe(true);
    }
    expect(placement.unplaced).toEqual([]);
  });

  test('never fills a member beyond its budget, and never places a copy twice', () => {
    fc.assert(
      fc.property(members, models, (fleetOf, of) => {
        const placement = place(fleetOf, of);
        for (const member of fleetOf) {
          expect(filledOf(placement, of, member)).toBeLessThanOrEqual(member.memoryBytes);
        }
        for (const copies of placement.members.values()) {
          expect(new Set(copies).size).toBe(copies.length);
        }
      }),
    );
  });

  test('leaves a version out only where no member has memory for it', () => {
    fc.assert(
      fc.property(members, models, (fleetOf, of) => {
        const placement = place(fleetOf, of);
        const largest = Math.max(...fleetOf.map(({ memoryBytes }) => memoryBytes));
        const missing = of.filter(({ id }) => placement.members.get(id)!.length === 0);
        expect(placement.unplaced.map(({ version }) => version).sort()).toEqual(
          missing.map(({ id }) => id).sort(),
        );
        for (const { bytes, largestBytes, reason } of placement.unplaced) {
          expect(largestBytes).toBe(largest);
          expect(reason).toBe(bytes > largest ? 'size' : 'full');
          for (const member of fleetOf) {
            expect(filledOf(placement, of, member) + bytes).toBeGreaterThan(member.memoryBytes);
          }
        }
      }),
    );
  });

  test('is the same whatever the order of members and versions', () => {
    fc.assert(
      fc.property(members, models, (fleetOf, of) => {
        const placement = place([...fleetOf].reverse(), [...of].reverse());
        expect(placement.members).toEqual(place(fleetOf, of).members);
      }),
    );
  });

  test('gives no version a second copy before each has its first, where every version fits', () => {
    // 12 units of memory for 10 versions.
    const placement = place(
      fleet(4, 3),
      versions(10, () => 1),
    );
    const copies = [...placement.members.values()].map((list) => list.length);
    expect(Math.min(...copies)).toBe(1);
    expect(copies.reduce((sum, count) => sum + count)).toBe(12);
    expect(Math.max(...copies)).toBe(2);
  });

  test('fills members about equally', () => {
    // Memory for three copies of every version, so that memory bounds the last round.
    const [all, of] = [fleet(20, 3000), versions(200, (i) => 50 + (i % 100))];
    const placement = place(all, of);
    const filled = all.map((member) => filledOf(placement, of, member));
    expect(Math.min(...filled)).toBeGreaterThan(0.9 * Math.max(...filled));
  });

  test('moves little when a member leaves', () => {
    const of = versions(400, (i) => 50 + (i % 100));
    const all = fleet(20, 5000);
    const before = place(all, of);
    const after = place(all.slice(0, -1), of);
    let moved = 0;
    let held = 0;
    for (const { id } of of) {
      for (const member of after.members.get(id)!) if (!holds(before, member, id)) moved++;
      held += before.members.get(id)!.length;
    }
    // It held a twentieth of the copies; the last copies, which are for spare memory, move as well.
    expect(moved / held).toBeLessThan(0.25);
  });

  test('a member with twice the memory gets about twice the versions', () => {
    const uneven = fleet(10, 1000).map((member, i) => ({
      ...member,
      memoryBytes: i < 5 ? 1000 : 2000,
    }));
    const of = versions(700, () => 20);
    const placement = place(uneven, of);
    const sum = (from: number, to: number): number =>
      uneven.slice(from, to).reduce((total, each) => total + filledOf(placement, of, each), 0);
    expect(sum(5, 10) / sum(0, 5)).toBeCloseTo(2, 0);
  });
});
