/** Rollouts over devices, by simulation: who is included, when bad versions are halted, and good ones are not. */
import type { DeviceReport } from '@skein/api';
import { BUCKETS, bucketOf, digestOf } from '@skein/api/latency-buckets';
import type { StoredDevice, StoredDeviceRollout } from '@skein/state';
import { describe, expect, it } from 'vitest';
import {
  gathered,
  isIncluded,
  judgeDevices,
  permissionOf,
  type DeviceVerdict,
  type SeenDevice,
} from './rollout-policy.ts';

const ROLLOUT: StoredDeviceRollout = {
  id: 'r1',
  model: 'ocr',
  version: 7,
  share: 10,
  labels: {},
  minRequests: 20,
  maxErrorShare: 0.01,
  phase: 'running',
  reason: '',
  startedAt: '2030-01-01T00:00:00.000Z',
};
const device = (index: number, labels: Record<string, string> = {}): StoredDevice => ({
  id: index.toString(16).padStart(16, '0'),
  name: `till ${index}`,
  labels,
  key: 'a'.repeat(64),
  invitation: 'b'.repeat(16),
  place: index,
  enrolledAt: '2030-01-01T00:00:00.000Z',
});
const DEVICES = Array.from({ length: 1000 }, (_, index) => device(index));

/** mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('who may have a version', () => {
  const included = (change: Partial<StoredDeviceRollout>) =>
    DEVICES.filter((each) => isIncluded({ ...ROLLOUT, ...change }, each));

  it('is the stated share, which only grows with it', () => {
    const [tenth, half] = [included({ share: 10 }), included({ share: 50 })];
    expect(Math.abs(tenth.length - 100)).toBeLessThan(30);
    expect(Math.abs(half.length - 500)).toBeLessThan(50);
    expect(tenth.filter((each) => !half.includes(each))).toEqual([]);
    expect(included({ share: 100 })).toHaveLength(1000);
  });

  it('is not the same tenth for each version', () => {
    const other = included({ version: 8 });
    const both = included({}).filter((each) => other.includes(each));
    expect(both.length).toBeLessThan(30);
  });

  it('has all the labels', () => {
    const rollout = { ...ROLLOUT, share: 100, labels: { site: 'a', kind: 'till' } };
    expect(isIncluded(rollout, device(1, { site: 'a', kind: 'till', other: 'x' }))).toBe(true);
    expect(isIncluded(rollout, device(1, { site: 'a' }))).toBe(false);
  });

  it('has a newest version, never an older one, and a halt lets no device move', () => {
    const one = DEVICES.find((each) => isIncluded(ROLLOUT, each))!;
    const other = DEVICES.find((each) => !isIncluded(ROLLOUT, each))!;
    expect(permissionOf(ROLLOUT, one)).toMatchObject({ upTo: 7, first: true });
    expect(permissionOf(ROLLOUT, other)).toMatchObject({ upTo: 6, first: true });
    expect(permissionOf({ ...ROLLOUT, phase: 'halted' }, one)).toMatchObject({
      upTo: 6,
      first: false,
    });
  });
});

interface Fleet {
  readonly devices: number;
  /** Probability that the version fails on a device. */
  readonly fails: number;
  /** Late answers as a share of all: with the new version, and with the old one. */
  readonly late: readonly [candidate: number, stable: number];
  readonly rounds: number;
  readonly answers: number;
}

/** The version that a report gives next: half of the devices take the new one. */
function simulate(seed: number, fleet: Fleet): DeviceVerdict {
  const next = random(seed);
  const fails = DEVICES.slice(0, fleet.devices).map(() => next() < fleet.fails);
  let seen: SeenDevice[] = [];
  let verdict = judgeDevices(ROLLOUT, seen);
  for (let round = 0; round < fleet.rounds && verdict.opinion !== 'bad'; round++) {
    seen = fails.map((hasFailed, index) => {
      const before = seen[index];
      const isCandidate = index % 2 === 0;
      const version = isCandidate && !hasFailed ? 7 : 6;
      let late = 0;
      const share = fleet.late[version === 7 ? 0 : 1];
      for (let answer = 0; answer < fleet.answers; answer++) if (next() < share) late += 1;
      const failed = isCandidate && hasFailed ? [{ version: 7, reason: 'golden' }] : [];
      const counts = [{ version, requests: fleet.answers, errors: 0, late, latency: [] }];
      const report = { version, failed, counts } as unknown as DeviceReport;
      const evidence = gathered(before?.evidence, ROLLOUT, before?.report, report);
      return { device: DEVICES[index]!, report, evidence };
    });
    verdict = judgeDevices(ROLLOUT, seen);
  }
  return verdict;
}

describe('the evidence of devices', () => {
  const SEEDS = Array.from({ length: 300 }, (_, seed) => seed + 1);
  const halted = (fleet: Fleet): number =>
    SEEDS.filter((seed) => simulate(seed, fleet).opinion === 'bad').length / SEEDS.length;
  const GOOD: Fleet = { devices: 20, fails: 0, late: [0.005, 0.005], rounds: 4, answers: 50 };

  it('halts a version that fails on a fifth of the devices, and hardly one that is as good', () => {
    expect(halted({ ...GOOD, devices: 60, fails: 0.2 })).toBeGreaterThan(0.9);
    expect(halted({ ...GOOD, devices: 60, fails: 0.002 })).toBeLessThan(0.03);
  });

  it('halts a version with late answers, unless the one before is as late', () => {
    expect(halted({ ...GOOD, late: [0.06, 0.005] })).toBeGreaterThan(0.99);
    expect(halted({ ...GOOD, late: [0.06, 0.06] })).toBeLessThan(0.15);
    expect(halted(GOOD)).toBeLessThan(0.05);
  });

  it('excuses what had failed before the rollout was resumed', () => {
    const report = { version: 6, failed: [{ version: 7, reason: 'x' }], counts: [] };
    const full = report as unknown as DeviceReport;
    const seen = DEVICES.slice(0, 5).map((each): SeenDevice => ({
      device: each,
      report: full,
      evidence: gathered(undefined, ROLLOUT, full, full),
    }));
    expect(judgeDevices(ROLLOUT, seen)).toMatchObject({ failed: 0, opinion: 'unknown' });
    const anew = seen.map((each): SeenDevice => ({
      ...each,
      evidence: gathered(undefined, ROLLOUT, { failed: [] }, full),
    }));
    expect(judgeDevices(ROLLOUT, anew)).toMatchObject({
      opinion: 'bad',
      reason: 'it failed on 5 of 5 devices',
    });
  });

  it('counts answers above a stated p99 as late, and none of a later version', () => {
    const histogram = new Uint32Array(BUCKETS);
    histogram[bucketOf(10)] = 90;
    histogram[bucketOf(100)] = 10;
    const latency = [...digestOf(histogram)];
    const counts = [7, 8].map((version) => ({
      version,
      requests: 100,
      errors: 0,
      late: 0,
      latency,
    }));
    const report = { version: 8, failed: [], counts } as unknown as DeviceReport;
    const evidence = gathered(undefined, { ...ROLLOUT, objectiveMs: 50 }, undefined, report);
    expect(evidence).toMatchObject({
      candidate: { requests: 100, late: 10 },
      stable: { requests: 0 },
    });
    expect(
      gathered(evidence, { ...ROLLOUT, objectiveMs: 50 }, report, report).candidate,
    ).toMatchObject({
      requests: 200,
      late: 20,
    });
  });
});
