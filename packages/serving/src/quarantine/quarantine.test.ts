import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tensor, type Tensor } from '@skein/onnx';
import { Quarantine } from './quarantine.ts';

const MINUTE = 60_000;
const clockAt = (start = 0) => {
  const clock = { at: start, now: () => clock.at };
  return clock;
};
const inputs = (...numbers: number[]) =>
  new Map<string, Tensor>([['x', tensor('float32', [numbers.length], Float32Array.from(numbers))]]);

describe('a quarantine', () => {
  it('lets a request end two replicas, in one call or in two', () => {
    const quarantine = new Quarantine('1', clockAt());
    quarantine.blame(inputs(1), 1);
    expect(quarantine.refusal(inputs(1))).toBeUndefined();
    quarantine.blame(inputs(1), 1);
    quarantine.blame(inputs(2), 2);
    for (const poison of [inputs(1), inputs(2)]) {
      expect(quarantine.refusal(poison)).toMatchObject({
        code: 'REQUEST_QUARANTINED',
        message: expect.stringContaining('2 replicas of version 1') as string,
      });
    }
  });

  it('does not blame other requests of the same run', () => {
    const quarantine = new Quarantine('1', clockAt());
    for (let i = 0; i < 9; i++) quarantine.blame(inputs(1), 0);
    expect(quarantine.refusal(inputs(1))).toBeUndefined();
  });

  it('ends after ten minutes, counted from the last replica', () => {
    const clock = clockAt();
    const quarantine = new Quarantine('1', clock);
    quarantine.blame(inputs(1), 2);
    clock.at = 9.5 * MINUTE;
    expect(quarantine.refusal(inputs(1))!.message).toContain('in 1 minutes');
    clock.at = 10 * MINUTE;
    expect(quarantine.refusal(inputs(1))).toBeUndefined();
    quarantine.blame(inputs(1), 1);
    expect(quarantine.refusal(inputs(1))).toBeUndefined();
  });

  it('keeps the latest 256', () => {
    const quarantine = new Quarantine('1', clockAt());
    for (let i = 0; i < 300; i++) quarantine.blame(inputs(i), 2);
    expect(quarantine.refusal(inputs(43))).toBeUndefined();
    for (let i = 44; i < 300; i++) expect(quarantine.refusal(inputs(i))).toBeDefined();
  });

  it('distinguishes requests by all of their bytes', () => {
    const numbers = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(numbers, numbers, (poison, other) => {
        const quarantine = new Quarantine('1', clockAt());
        quarantine.blame(inputs(...poison), 2);
        const same = JSON.stringify(poison) === JSON.stringify(other);
        expect(quarantine.refusal(inputs(...other)) !== undefined).toBe(same);
      }),
    );
  });
});
