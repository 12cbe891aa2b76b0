import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TenantPenalties } from './tenant-penalties.ts';

const SECOND = 1_000;
const clockAt = (start = 0) => {
  const clock = { at: start, now: () => clock.at };
  return clock;
};
const only = (tenant: string) => new Set([tenant]);

describe('penalties of tenants', () => {
  test('let a tenant end three replicas, then one for every thirty seconds', () => {
    const clock = clockAt();
    const penalties = new TenantPenalties('1', clock);
    for (let i = 0; i < 3; i++) {
      expect(penalties.refusal('mallory')).toBeUndefined();
      expect(penalties.refusal('alice')).toBeUndefined();
      penalties.note(only('mallory'));
    }
    expect(penalties.refusal('alice')).toBeUndefined();
    expect(penalties.refusal('mallory')).toMatchObject({
      code: 'TENANT_HELD',
      message: expect.stringContaining('3 replicas of version 1') as string,
      retryAfterMs: 30 * SECOND,
    });
    clock.at = 29 * SECOND;
    expect(penalties.refusal('mallory')).toMatchObject({ retryAfterMs: SECOND });
    clock.at = 30 * SECOND;
    expect(penalties.refusal('mallory')).toBeUndefined();
    penalties.note(only('mallory'));
    expect(penalties.refusal('mallory')).toBeDefined();
    expect(penalties.refusal('alice')).toBeUndefined();
  });

  test('do not refuse a tenant that harms only itself', () => {
    const clock = clockAt();
    const penalties = new TenantPenalties('1', clock);
    for (let i = 0; i < 9; i++) penalties.note(only('local'));
    expect(penalties.refusal('local')).toBeUndefined();
    expect(penalties.refusal('alice')).toBeUndefined();
    expect(penalties.refusal('local')).toBeDefined();
    clock.at = 601 * SECOND;
    for (let i = 0; i < 9; i++) penalties.note(only('local'));
    expect(penalties.refusal('local')).toBeUndefined();
  });

  test('identify one tenant of a shared run, by running the suspects separately', () => {
    const clock = clockAt();
    const penalties = new TenantPenalties('1', clock);
    for (let i = 0; i < 9; i++) penalties.note(new Set(['mallory', 'alice']));
    expect([penalties.refusal('mallory'), penalties.refusal('alice')]).toEqual([
      undefined,
      undefined,
    ]);
    expect(['mallory', 'alice', 'bob'].map((tenant) => penalties.isSuspect(tenant))).toEqual([
      true,
      true,
      false,
    ]);
    clock.at = 61 * SECOND;
    expect(penalties.isSuspect('alice')).toBe(false);
  });

  test('bound the cost of a tenant at any request rate', () => {
    const steps = fc.array(fc.double({ min: 0, max: 40 * SECOND, noNaN: true }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(steps, (waits) => {
        const clock = clockAt();
        const penalties = new TenantPenalties('1', clock);
        const ended: number[] = [];
        for (const wait of waits) {
          clock.at += wait;
          penalties.refusal('alice');
          if (penalties.refusal('mallory') !== undefined) continue;
          penalties.note(only('mallory'));
          ended.push(clock.at);
        }
        // In any interval: the burst, and the strikes that expired meanwhile.
        for (let from = 0; from < ended.length; from++) {
          for (let to = from; to < ended.length; to++) {
            const passed = ended[to]! - ended[from]!;
            expect(to - from + 1).toBeLessThanOrEqual(3 + Math.ceil(passed / (30 * SECOND)) + 1);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
