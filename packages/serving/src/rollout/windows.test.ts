import { describe, expect, it } from 'vitest';
import { RolloutPlan } from '@skein/api';
import { digestOf, BUCKETS, bucketOf } from '@skein/api/latency-buckets';
import { seededRandom } from '@skein/onnx';
import { NOTHING, type Counts } from './judge.ts';
import { evidenceOf, p99Of, weigh, type RolloutWindow } from './windows.ts';

const counts = (requests: number, errors = 0, late = 0): Counts => ({
  requests,
  errors,
  late,
  odd: 0,
});
const window = (candidate: Counts, stable = counts(500), step = 0): RolloutWindow => ({
  step,
  candidate,
  stable,
});
const plan = (more: Partial<RolloutPlan> = {}): RolloutPlan => ({
  ...RolloutPlan.parse({ strategy: 'canary' }),
  ...more,
});
const fleetOf = (windows: readonly RolloutWindow[]): Map<string, RolloutWindow> =>
  new Map(windows.map((each, i) => [`m${i}`, each]));

describe('the evidence of a fleet', () => {
  it('is the sum of what its members have seen in this step', () => {
    const comparison = { compared: 3, differing: 1, maxDifference: 0.2 };
    const windows = fleetOf([
      { ...window(counts(10, 1), counts(100, 2)), comparison },
      { ...window(counts(20), counts(50)), comparison: { ...comparison, maxDifference: 0.1 } },
      // It has not taken the step yet: its requests belong to the one before.
      window(counts(99, 99), counts(7), 4),
    ]);
    expect(evidenceOf(windows, 0)).toEqual({
      candidate: counts(30, 1),
      stable: counts(157, 2),
      comparison: { compared: 6, differing: 2, maxDifference: 0.2 },
    });
    expect(evidenceOf(new Map(), 0)).toEqual({ candidate: NOTHING, stable: NOTHING });
  });

  it('merges the latencies of all members', () => {
    const digest = (...latencies: number[]) => {
      const histogram = new Uint32Array(BUCKETS);
      for (const ms of latencies) histogram[bucketOf(ms)]! += 1;
      return digestOf(histogram);
    };
    const latency = { candidate: digest(5, 5, 5), stable: digest(2) };
    const slow = { candidate: digest(5, 80), stable: digest(2, 2) };
    const windows = fleetOf([
      { ...window(counts(3)), latency },
      { ...window(counts(2)), latency: slow },
    ]);
    expect(p99Of(windows, 0).candidateMs).toBeCloseTo(80, -1);
    expect(p99Of(windows, 0).stableMs).toBeCloseTo(2, 0);
    expect(p99Of(windows, 1).candidateMs).toBeNull();
  });
});

describe('the verdict of a fleet', () => {
  it('waits for the requests of all members together', () => {
    const few = fleetOf([window(counts(9)), window(counts(9))]);
    expect(weigh(few, 0, plan({ minRequests: 20 }), 0.99).opinion).toBe('unknown');
    const enough = fleetOf([window(counts(9)), window(counts(11))]);
    expect(weigh(enough, 0, plan({ minRequests: 20 }), 0.99).opinion).toBe('good');
  });

  it('sees a defect of one member that disappears in the sum', () => {
    const healthy = Array.from({ length: 40 }, () => window(counts(100)));
    const verdict = weigh(
      fleetOf([...healthy, window(counts(30, 30))]),
      0,
      plan({ maxErrorShare: 0.02 }),
      0.99,
    );
    expect(verdict).toEqual({
      opinion: 'bad',
      reason: expect.stringMatching(/^on member m40, 30 of 30 requests failed/) as string,
    });
  });

  it('does not blame the version for a slow machine', () => {
    const healthy = Array.from({ length: 4 }, () => window(counts(100)));
    const slow = window(counts(100, 0, 50), counts(500, 0, 250));
    const { opinion } = weigh(fleetOf([...healthy, slow]), 0, plan(), 0.9);
    expect(opinion).toBe('good');
  });
});

/** The share of runs in which a fleet rolls back, judged once with what all members have seen. */
function rolledBack(
  members: number,
  errorShareOf: (member: number) => number,
  seen = 200,
  runs = 300,
): number {
  const random = seededRandom(members * 1000 + seen);
  const draw = (share: number): Counts => {
    let errors = 0;
    for (let i = 0; i < seen; i++) if (random.next() < share) errors++;
    return counts(seen, errors);
  };
  let bad = 0;
  for (let run = 0; run < runs; run++) {
    const windows = fleetOf(
      Array.from({ length: members }, (_, i) => window(draw(errorShareOf(i)), counts(0))),
    );
    if (weigh(windows, 0, plan({ maxErrorShare: 0.05 }), 0.99).opinion === 'bad') bad++;
  }
  return bad / runs;
}

describe('simulated fleets of 1 to 100 members', () => {
  it.each([1, 3, 20, 100])('of %i members seldom blame a version for bad luck', (members) => {
    // Failures at just what the plan allows: the hardest good version. Two judgements at 1 % each.
    expect(rolledBack(members, () => 0.05)).toBeLessThan(0.05);
  });

  it.each([3, 20, 100])('of %i members find the one on which a fifth fails', (members) => {
    const share = rolledBack(members, (member) => (member === 1 ? 0.2 : 0.01));
    expect(share).toBeGreaterThan(0.9);
  });

  it('need more requests of a member to find a smaller defect', () => {
    const oneInTen = (member: number): number => (member === 0 ? 0.1 : 0.01);
    expect(rolledBack(20, oneInTen, 100)).toBeLessThan(0.5);
    expect(rolledBack(20, oneInTen, 800, 60)).toBeGreaterThan(0.9);
  });
});
