import { describe, expect, it } from 'vitest';
import { SkeinError } from '@skein/api';
import { effectiveSettings, mergeSettings, needsNewReplicas } from './settings.ts';

const refusal = (act: () => unknown): string => {
  try {
    act();
    return 'accepted';
  } catch (error) {
    return error instanceof SkeinError ? `${error.code}: ${error.message}` : String(error);
  }
};

describe('the settings of a deployment', () => {
  it('fill the machine by default', () => {
    const { settings, replicas } = mergeSettings(undefined, undefined, 8);
    expect(settings).toMatchObject({ threads: 1, objective: { latencyMs: 500, quantile: 0.99 } });
    expect(replicas).toEqual({ min: 1, max: 8 });
    expect(mergeSettings(undefined, { threads: 3 }, 8).replicas).toEqual({ min: 1, max: 2 });
  });

  it('keep fields that a change does not name, inside groups too', () => {
    const first = mergeSettings(
      undefined,
      { objective: { quantile: 0.999 }, maxQueue: 7 },
      4,
    ).settings;
    const { settings } = mergeSettings(first, { objective: { latencyMs: 50 } }, 4);
    expect(settings).toMatchObject({ objective: { latencyMs: 50, quantile: 0.999 }, maxQueue: 7 });
  });

  it('complete the bounds if only one is given', () => {
    expect(mergeSettings(undefined, { replicas: { min: 0 } }, 4).replicas).toEqual({
      min: 0,
      max: 4,
    });
    expect(mergeSettings(undefined, { replicas: { max: 2 } }, 4).replicas).toEqual({
      min: 1,
      max: 2,
    });
    const first = mergeSettings(undefined, { replicas: { min: 2, max: 3 } }, 4).settings;
    expect(mergeSettings(first, { replicas: { max: 4 } }, 4).replicas).toEqual({ min: 2, max: 4 });
    const idle = mergeSettings(first, { replicas: { min: 0, idleMs: 5000 } }, 4).settings;
    expect(mergeSettings(idle, { replicas: { max: 2 } }, 4).replicas).toEqual({
      min: 0,
      max: 2,
      idleMs: 5000,
    });
  });

  it('return to the defaults with null', () => {
    const first = mergeSettings(
      undefined,
      { cache: { ttlMs: 5 }, replicas: { max: 2 } },
      4,
    ).settings;
    expect(first.cache).toMatchObject({ ttlMs: 5 });
    const { settings, replicas } = mergeSettings(first, { cache: null, replicas: null }, 4);
    expect(settings.cache).toBeUndefined();
    expect(replicas).toEqual({ min: 1, max: 4 });
  });

  it('refuse more threads than cores, with the numbers, unless oversubscribe is set', () => {
    const asked = { threads: 2, replicas: { min: 1, max: 3 } };
    expect(refusal(() => mergeSettings(undefined, asked, 4))).toMatch(
      /^DEPLOYMENT_INVALID: 3 replicas × 2 threads take 6 cores, but the node has 4/,
    );
    expect(mergeSettings(undefined, { ...asked, oversubscribe: true }, 4).replicas.max).toBe(3);
  });

  it('name the invalid value', () => {
    const zero = { objective: { latencyMs: 0 } };
    expect(refusal(() => mergeSettings(undefined, zero, 4))).toMatch(
      /^DEPLOYMENT_INVALID: objective.latencyMs: /,
    );
    const crossed = { replicas: { min: 4, max: 2 } };
    expect(refusal(() => mergeSettings(undefined, crossed, 8))).toMatch(
      /^DEPLOYMENT_INVALID: replicas: min must not exceed max/,
    );
  });

  it('determine which changes need new replicas', () => {
    const { settings } = mergeSettings(undefined, undefined, 4);
    const change = (patch: Parameters<typeof mergeSettings>[1]): boolean =>
      needsNewReplicas(settings, mergeSettings(settings, patch, 4).settings);
    expect(change({ threads: 2 })).toBe(true);
    expect(change({ batching: { maxRows: 4 } })).toBe(true);
    expect(change({ replicas: { max: 2 }, cache: {} })).toBe(false);
  });

  it('of a larger machine still load on a smaller one', () => {
    const { settings } = mergeSettings(undefined, { threads: 4, replicas: { min: 1, max: 4 } }, 16);
    expect(effectiveSettings(settings, 2).replicas).toEqual({ min: 1, max: 4 });
  });
});
