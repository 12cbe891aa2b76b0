import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MIN_RESIDENCY_MS } from '../tuning.ts';
import { leastRecentAgeMs, planResidency, type Resident } from './residency.ts';

const NOW = 10 * MIN_RESIDENCY_MS;
const resident = (id: string, bytes: number, usedAt: number, loadedAt = 0): Resident => ({
  id,
  bytes,
  usedAt,
  loadedAt,
});

describe('planResidency', () => {
  test('loads what is wanted and fits, and unloads nothing for it', () => {
    const plan = planResidency([{ id: 'b', bytes: 5 }], [resident('a', 5, 0)], 10, NOW);
    expect(plan).toEqual({ load: ['b'], unload: [] });
  });

  test('unloads the least recently used of what is not wanted', () => {
    const residents = [resident('old', 5, 1), resident('new', 5, 2)];
    const plan = planResidency([{ id: 'b', bytes: 5 }], residents, 10, NOW);
    expect(plan).toEqual({ load: ['b'], unload: ['old'] });
  });

  test('keeps what is wanted, however long it was not used', () => {
    const residents = [resident('wanted', 5, 1), resident('other', 5, 2)];
    const wanted = ['wanted', 'b'].map((id) => ({ id, bytes: 5 }));
    expect(planResidency(wanted, residents, 10, NOW).unload).toEqual(['other']);
  });

  test('keeps what was loaded a moment ago, until it has been there for long enough', () => {
    const residents = [resident('young', 10, NOW, NOW)];
    const at = (now: number) => planResidency([{ id: 'b', bytes: 5 }], residents, 10, now);
    expect(at(NOW + MIN_RESIDENCY_MS - 1)).toEqual({ load: [], unload: [] });
    expect(at(NOW + MIN_RESIDENCY_MS)).toEqual({ load: ['b'], unload: ['young'] });
  });

  test('unloads what it had to anyway, and no more if that is enough', () => {
    const residents = [resident('old', 6, 1), resident('new', 6, 2)];
    const plan = planResidency([{ id: 'b', bytes: 4 }], residents, 10, NOW);
    expect(plan).toEqual({ load: ['b'], unload: ['old'] });
  });

  test('unloads what has just been loaded for what no member serves, and when it is beyond its budget', () => {
    const young = resident('young', 5, NOW, NOW);
    const urgent = { id: 'b', bytes: 8, urgent: true };
    expect(planResidency([urgent], [young], 10, NOW)).toMatchObject({
      load: ['b'],
      unload: ['young'],
    });
    const wanted = [{ id: 'wanted', bytes: 8 }];
    const residents = [young, resident('wanted', 8, 0)];
    expect(planResidency(wanted, residents, 10, NOW).unload).toEqual(['young']);
  });

  test('keeps a small victim that a larger one makes unnecessary', () => {
    const residents = [resident('small', 1, 1), resident('large', 9, 2)];
    expect(planResidency([{ id: 'b', bytes: 8 }], residents, 10, NOW).unload).toEqual(['large']);
  });

  test('never plans beyond the budget, and never unloads what is wanted or young', () => {
    const one = fc.record({
      bytes: fc.integer({ min: 1, max: 50 }),
      usedAt: fc.integer({ min: 0, max: NOW }),
      loadedAt: fc.integer({ min: NOW - 2 * MIN_RESIDENCY_MS, max: NOW }),
    });
    fc.assert(
      fc.property(
        fc.array(one, { maxLength: 10 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 10 }),
        fc.integer({ min: 0, max: 200 }),
        (loaded, sizes, spare) => {
          const residents = loaded.map((entry, i) => ({ id: `r${i}`, ...entry }));
          // Every second resident is wanted too.
          const wanted = [
            ...residents.filter((_, i) => i % 2 === 0),
            ...sizes.map((bytes, i) => ({ id: `w${i}`, bytes })),
          ];
          const held = residents.reduce((sum, { bytes }) => sum + bytes, 0);
          const { load, unload } = planResidency(wanted, residents, held + spare, NOW);
          const bytesOf = (id: string): number =>
            [...residents, ...wanted].find((entry) => entry.id === id)!.bytes;
          const sum = (ids: readonly string[]): number =>
            ids.reduce((total, id) => total + bytesOf(id), 0);
          expect(held - sum(unload) + sum(load)).toBeLessThanOrEqual(held + spare);
          for (const id of unload) {
            expect(wanted.some((entry) => entry.id === id)).toBe(false);
            expect(
              NOW - residents.find((entry) => entry.id === id)!.loadedAt,
            ).toBeGreaterThanOrEqual(MIN_RESIDENCY_MS);
          }
        },
      ),
    );
  });
});

test('leastRecentAgeMs is the age of the version that was not used for longest', () => {
  expect(leastRecentAgeMs([resident('a', 1, 400), resident('b', 1, 900)], 1000)).toBe(600);
  expect(leastRecentAgeMs([], 1000)).toBe(0);
});
