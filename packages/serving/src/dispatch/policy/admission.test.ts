import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assess, levelOf, type Backlog, type Candidate, type Verdict } from './admission.ts';

const IDLE: Backlog = {
  now: 1_000,
  replicas: 1,
  freeAt: 1_000,
  workBefore: 0,
  latestFreeBehind: Infinity,
  caution: 0,
};
const CANDIDATE: Omit<Candidate, 'leastWork'> = {
  startBy: 1_100,
  work: 10,
  level: 3,
  tenantWork: 0,
  tenantReach: Infinity,
};

function judge(backlog: Partial<Backlog>, candidate: Partial<Candidate> = {}): Verdict {
  const verdict: Verdict = { lateMs: Number.NaN, reason: undefined };
  const { work = CANDIDATE.work } = candidate;
  assess({ ...IDLE, ...backlog }, { ...CANDIDATE, leastWork: work, ...candidate }, verdict);
  return verdict;
}

describe('admission', () => {
  test('accepts every request that can start now on an idle node, at every level', () => {
    for (const level of [1, 2, 3, 4, 5]) {
      expect(judge({}, { level, startBy: 1_000 })).toEqual({ lateMs: 0, reason: undefined });
    }
    expect(judge({}, { startBy: 999 })).toEqual({ lateMs: 1, reason: 'alone' });
  });

  test('caution reduces the time that a backlog may fill, and refuses no request on an idle node', () => {
    expect(judge({ workBefore: 87 }).lateMs).toBeLessThanOrEqual(0);
    expect(judge({ workBefore: 71, caution: 0.2 }).lateMs).toBeGreaterThan(0);
    expect(judge({ workBefore: 70, caution: 0.2 }).lateMs).toBeLessThanOrEqual(0);
    expect(judge({ caution: 0.3 }, { startBy: 1_000 }).lateMs).toBe(0);
  });

  test('less urgent levels leave time for more urgent ones', () => {
    const backlogs = Array.from({ length: 121 }, (_, workBefore) => workBefore);
    const most = (level: number): number =>
      Math.max(...backlogs.filter((workBefore) => judge({ workBefore }, { level }).lateMs <= 0));
    expect([1, 2, 3, 4, 5].map(most)).toEqual([96, 93, 87, 75, 50]);
  });

  test('replicas share the backlog', () => {
    expect(judge({ workBefore: 160 }).reason).toBe('backlog');
    expect(judge({ workBefore: 160, replicas: 2, freeAt: 2_000 }).lateMs).toBeLessThanOrEqual(0);
  });

  test('refuses a request that would break an earlier promise', () => {
    expect(judge({ latestFreeBehind: 1_010 }).lateMs).toBe(0);
    expect(judge({ latestFreeBehind: 1_004 })).toEqual({ lateMs: 6, reason: 'promises' });
  });

  test('a tenant with a long queue leaves time for others, one with an empty queue is admitted', () => {
    expect(judge({ workBefore: 60 }, { tenantReach: 4, tenantWork: 60 }).lateMs).toBeLessThan(0);
    expect(judge({ workBefore: 75 }, { tenantReach: 4, tenantWork: 75 }).reason).toBe('share');
    expect(judge({ workBefore: 75 }, { tenantReach: 4 }).lateMs).toBeLessThan(0);
  });

  test('counts a probe at its bound for the share of its tenant, and at its estimate for promises', () => {
    const probe = { work: 500, leastWork: 10, tenantWork: 10, tenantReach: 1 };
    expect(judge({}, probe).reason).toBeUndefined();
    expect(judge({}, { ...probe, leastWork: 500 }).reason).toBe('share');
    expect(judge({ latestFreeBehind: IDLE.freeAt + 499 }, probe).reason).toBe('promises');
  });

  test('after the returned time, the same request is accepted if no other has arrived', () => {
    const backlog = fc.record({
      replicas: fc.integer({ min: 1, max: 8 }),
      residual: fc.nat(500),
      workBefore: fc.nat(2_000),
      behind: fc.option(fc.nat(800), { nil: Infinity }),
    });
    const candidate = fc.record({
      left: fc.nat(300),
      work: fc.nat(50),
      level: fc.integer({ min: 1, max: 5 }),
      tenantWork: fc.nat(300),
      tenantReach: fc.constantFrom(Infinity, 4, 1),
    });
    fc.assert(
      fc.property(backlog, candidate, (load, { left, ...rest }) => {
        const { replicas, residual, workBefore, behind } = load;
        const at = (waited: number): Verdict => {
          const now = IDLE.now + waited;
          // The replicas work through the backlog: running requests first, then queued ones.
          const started = Math.max(0, waited * replicas - residual);
          return judge(
            {
              now,
              replicas,
              freeAt: now * replicas + Math.max(0, residual - waited * replicas),
              workBefore: Math.max(0, workBefore - started),
              latestFreeBehind: IDLE.now * replicas + behind + started + waited * replicas,
            },
            { ...rest, startBy: now + left, tenantWork: Math.max(0, rest.tenantWork - started) },
          );
        };
        const { lateMs } = at(0);
        fc.pre(lateMs > 0);
        expect(at(Math.ceil(lateMs)).lateMs).toBeLessThanOrEqual(1e-6);
      }),
    );
  });

  test('priorities become levels', () => {
    expect([0, 1, 2, 3, 5, 9].map(levelOf)).toEqual([3, 1, 2, 3, 5, 5]);
  });
});
