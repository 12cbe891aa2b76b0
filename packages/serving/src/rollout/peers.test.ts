import { RolloutPlan } from '@skein/api';
import { describe, expect, it } from 'vitest';
import { NOTHING } from './judge.ts';
import { eventOf, withDeparted, type RolloutReport } from './peers.ts';
import { beginRollout, type Rollout } from './rollout.ts';

const plan = RolloutPlan.parse({ strategy: 'canary' });
const warming = beginRollout(plan, [{ version: '1', weight: 100 }], '2', 0.99, 0);
const shifting: Rollout = { ...warming, phase: 'shifting', step: 1 };

const loading: RolloutReport = { rollout: 'r', state: 'loading' };
const seen = (step: number): RolloutReport => ({
  rollout: 'r',
  state: 'ready',
  window: { step, candidate: NOTHING, stable: NOTHING },
});
const reports = (of: Record<string, RolloutReport | undefined>) => new Map(Object.entries(of));

describe('what the reports of the members mean', () => {
  it('is warm once every member is ready', () => {
    expect(eventOf(warming, reports({ a: seen(0), b: loading }), 60_000)).toBeUndefined();
    expect(eventOf(warming, reports({ a: seen(0), b: seen(0) }), 1)).toEqual({ kind: 'warmed' });
  });

  it('waits ten seconds for a member that reports nothing, and not for ever', () => {
    const silent = reports({ a: seen(0), b: undefined });
    expect(eventOf(warming, silent, 9_999)).toBeUndefined();
    expect(eventOf(warming, silent, 10_000)).toEqual({ kind: 'warmed' });
  });

  it('is the windows of those that have some, once it has begun', () => {
    const event = eventOf(shifting, reports({ a: seen(1), b: loading, c: undefined }), 0);
    expect(event).toEqual({ kind: 'observed', windows: new Map([['a', seen(1).window]]) });
  });
});

describe('the reports of a step', () => {
  it('keep what a member has seen that has left, until the next step', () => {
    const before = reports({ a: seen(1), gone: seen(1), silent: undefined });
    const now = reports({ a: seen(1) });
    expect([...withDeparted(before, now, 'r', 1).keys()]).toEqual(['a', 'gone']);
    expect([...withDeparted(before, now, 'r', 2).keys()]).toEqual(['a']);
  });

  it('leave out reports of an earlier rollout', () => {
    const now = reports({ a: { ...seen(1), rollout: 'earlier' } });
    expect(withDeparted(new Map(), now, 'r', 1).get('a')).toBeUndefined();
  });
});
