import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TrafficHistory } from './traffic-history.ts';

const MINUTE = 60_000;
const WALL = Date.parse('2026-01-02T00:00:00Z');

describe('the traffic of a day', () => {
  it('has one point for each complete minute of the last hour', () => {
    const history = new TrafficHistory(0);
    for (let i = 0; i < 60; i += 1) history.answered(i < 59 ? 10 : 900, i < 59, 1000 * i);
    history.refused(true, 59_000);
    history.refused(false, 59_500);
    const now = 3 * MINUTE + 5000;
    const [first, second, third, ...more] = history.points('hour', now, WALL + now);
    expect(more).toEqual([]);
    expect(first).toMatchObject({
      at: '2026-01-02T00:00:00.000Z',
      requestsPerSecond: 62 / 60,
      goodputPerSecond: 59 / 60,
      shedPerSecond: 1 / 60,
      sloAttainment: 59 / 61,
    });
    expect(first!.p50Ms).toBeCloseTo(10, 0);
    expect(first!.p99Ms! / 900).toBeCloseTo(1, 1);
    for (const idle of [second, third]) {
      expect(idle).toMatchObject({ requestsPerSecond: 0, sloAttainment: null, p99Ms: null });
    }
  });

  it('shows a day as the worst minute of every ten', () => {
    const history = new TrafficHistory(0);
    for (let minute = 0; minute < 10; minute += 1) {
      history.answered(minute === 7 ? 500 : 20, true, minute * MINUTE + 1);
    }
    const [point] = history.points('day', 10 * MINUTE, WALL);
    expect(point!.p99Ms! / 500).toBeCloseTo(1, 1);
    expect(point!.requestsPerSecond).toBeCloseTo(10 / 600);
  });

  it('counts as a list of all requests does, for any times', () => {
    const steps = fc.array(
      fc.record({ afterMs: fc.integer({ min: 0, max: 40 * MINUTE }), kind: fc.nat(2) }),
      { minLength: 1, maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, fc.constantFrom('hour' as const, 'day' as const), (made, range) => {
        const history = new TrafficHistory(0);
        const all: { at: number; kind: number }[] = [];
        let now = 0;
        for (const { afterMs, kind } of made) {
          now += afterMs;
          all.push({ at: now, kind });
          if (kind === 0) history.answered(5, true, now);
          else history.refused(kind === 1, now);
        }
        now += MINUTE;
        const size = range === 'hour' ? MINUTE : 10 * MINUTE;
        for (const point of history.points(range, now, now)) {
          const from = Date.parse(point.at);
          const inside = all.filter(({ at }) => at >= from && at < from + size);
          expect(point.requestsPerSecond).toBeCloseTo(inside.length / (size / 1000));
        }
      }),
    );
  });
});
