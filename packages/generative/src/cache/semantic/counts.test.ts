import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  comparedFrom,
  createSemanticCounts,
  noteComparison,
  suggestedThreshold,
} from './counts.ts';

describe('the suggested threshold', () => {
  it('let through 1 % of the comparisons at most, and the next lower one more, or was never seen', () => {
    const note = fc.record({ step: fc.integer({ min: 60, max: 100 }), odds: fc.nat(99) });
    fc.assert(
      fc.property(fc.array(note, { minLength: 100, maxLength: 2000 }), (notes) => {
        const { compared } = createSemanticCounts().of('m');
        for (const { step, odds } of notes) {
          // The further apart the questions, the more answers differ.
          noteComparison(compared, step / 100, odds >= 100 - step);
        }
        const suggested = suggestedThreshold(compared);
        if (suggested === undefined) return;
        const { compared: all, different } = comparedFrom(compared, suggested);
        expect(all).toBeGreaterThanOrEqual(100);
        expect(different / all).toBeLessThanOrEqual(0.01);
      }),
    );
    const { compared } = createSemanticCounts().of('m');
    for (let n = 0; n < 200; n++) noteComparison(compared, 0.96, true);
    for (let n = 0; n < 200; n++) noteComparison(compared, 0.9, n % 2 === 0);
    expect(suggestedThreshold(compared)).toBe(0.91);
  });
});
