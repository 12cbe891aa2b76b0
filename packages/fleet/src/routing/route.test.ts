import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../simulation/random.ts';
import { CIRCUIT_MS, routing } from '../tuning.ts';
import { afterFailure, CLOSED, isAsked } from './circuit.ts';
import { asks, nextProbes, probeTimeoutMs, successAfter, takers } from './route.ts';

describe('nextProbes', () => {
  const holders = Array.from({ length: 30 }, (_, i) => `m${i}`);

  test('picks different members that were not asked yet, as many as there are', () => {
    fc.assert(
      fc.property(
        fc.subarray(holders),
        fc.subarray(holders, { maxLength: 10 }),
        fc.integer(),
        (some, already, seed) => {
          const asked = new Set(already);
          const picked = nextProbes({ asked, rounds: 0, leftMs: 10 }, some, seededRandom(seed));
          const open = some.filter((member) => !asked.has(member));
          expect(picked).toHaveLength(Math.min(routing.probes, open.length));
          expect(new Set(picked).size).toBe(picked.length);
          for (const member of picked) expect(open).toContain(member);
        },
      ),
    );
  });

  test('picks every member equally often', () => {
    const random = seededRandom(1);
    const counts = new Map<string, number>();
    for (let i = 0; i < 15_000; i++) {
      const state = { asked: new Set(['m0']), rounds: 0, leftMs: 10 };
      for (const member of nextProbes(state, holders, random)) {
        counts.set(member, (counts.get(member) ?? 0) + 1);
      }
    }
    expect(counts.has('m0')).toBe(false);
    expect(counts.size).toBe(29);
    for (const count of counts.values()) {
      expect(count).toBeGreaterThan(900);
      expect(count).toBeLessThan(1200);
    }
  });

  test('picks every one of few equally often', () => {
    const random = seededRandom(2);
    const counts = new Map<string, number>();
    const few = holders.slice(0, 4);
    for (let i = 0; i < 4000; i++) {
      for (const member of nextProbes({ asked: new Set(), rounds: 0, leftMs: 10 }, few, random)) {
        counts.set(member, (counts.get(member) ?? 0) + 1);
      }
    }
    expect(counts.size).toBe(4);
    for (const count of counts.values()) {
      expect(count).toBeGreaterThan(1850);
      expect(count).toBeLessThan(2150);
    }
  });

  test('asks no more after the last round, or without time', () => {
    const random = seededRandom(1);
    const asked = new Set<string>();
    expect(nextProbes({ asked, rounds: routing.rounds, leftMs: 10 }, holders, random)).toEqual([]);
    expect(nextProbes({ asked, rounds: 0, leftMs: 0 }, holders, random)).toEqual([]);
  });
});

test('takers are those that would be in time, the earliest finish first', () => {
  const quotes = [
    { member: 'late', finishMs: 60 },
    { member: 'second', finishMs: 40 },
    { member: 'refuses', finishMs: undefined },
    { member: 'first', finishMs: 10 },
  ];
  expect(takers(quotes, 50).map(({ member }) => member)).toEqual(['first', 'second']);
});

test('a round waits for a fifth of the time that is left', () => {
  expect(probeTimeoutMs(100)).toBe(100 * routing.probeShare);
});

test('while no round finds a taker, a small share of the refused requests asks; one success brings more', () => {
  let success = 1;
  for (let i = 0; i < 1000; i++) success = successAfter(success, false);
  expect(asks(success, routing.leastAsking - 0.001)).toBe(true);
  expect(asks(success, routing.leastAsking + 0.001)).toBe(false);
  for (let i = 0; i < routing.successRounds; i++) success = successAfter(success, true);
  expect(asks(success, 0.99)).toBe(true);
});

describe('circuit', () => {
  test('leaves a member out for longer after each failure, up to a bound', () => {
    let circuit = CLOSED;
    let now = 0;
    const pauses: number[] = [];
    for (let i = 0; i < 10; i++) {
      expect(isAsked(circuit, now)).toBe(true);
      circuit = afterFailure(circuit, now, 1);
      expect(isAsked(circuit, now)).toBe(false);
      pauses.push(circuit.openUntil - now);
      now = circuit.openUntil;
    }
    expect(pauses[0]).toBe(CIRCUIT_MS.first);
    expect(pauses[1]).toBe(2 * CIRCUIT_MS.first);
    expect(pauses.at(-1)).toBe(CIRCUIT_MS.longest);
  });

  test('counts requests that were lost together once', () => {
    const open = afterFailure(CLOSED, 0, 1);
    let circuit = open;
    for (let i = 0; i < 10; i++) circuit = afterFailure(circuit, i, 1);
    expect(circuit).toEqual(open);
    expect(afterFailure(circuit, open.openUntil, 1).failures).toBe(2);
  });

  test('nodes that lost a member together ask it again at different times', () => {
    const untils = [0, 0.5, 0.99].map((random) => afterFailure(CLOSED, 0, random).openUntil);
    expect(new Set(untils).size).toBe(3);
  });
});
