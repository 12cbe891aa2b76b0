import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stickyPosition, targetAt } from './traffic-split.ts';

const weights = fc.array(fc.double({ min: 0, max: 1000, noNaN: true }), {
  minLength: 1,
  maxLength: 6,
});
const position = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('the traffic split', () => {
  it('never chooses a target without weight, and always one when there is any', () => {
    fc.assert(
      fc.property(weights, position, (list, at) => {
        const chosen = targetAt(
          list.map((weight) => ({ weight })),
          at,
        );
        if (list.every((weight) => weight === 0)) expect(chosen).toBeUndefined();
        else expect(chosen!.weight).toBeGreaterThan(0);
      }),
    );
  });

  it('gives each target its share of evenly spread positions', () => {
    const targets = [
      { name: 'a', weight: 1 },
      { name: 'b', weight: 0 },
      { name: 'c', weight: 3 },
    ];
    const counts = { a: 0, b: 0, c: 0 };
    for (let i = 0; i < 1000; i++) {
      counts[targetAt(targets, i / 1000)!.name as keyof typeof counts]++;
    }
    expect(counts).toEqual({ a: 250, b: 0, c: 750 });
  });

  it('keeps a caller on the new version while its share rises', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.array(fc.double({ min: 0.1, max: 100, noNaN: true }), { minLength: 2, maxLength: 8 }),
        (key, shares) => {
          shares.sort((a, b) => a - b);
          const choices = shares.map(
            (share) =>
              targetAt(
                [
                  { name: 'new', weight: share },
                  { name: 'old', weight: 100 - share },
                ],
                stickyPosition(key, 'ocr'),
              )!.name,
          );
          expect(choices.lastIndexOf('old')).toBeLessThan(
            choices.includes('new') ? choices.indexOf('new') : Infinity,
          );
        },
      ),
    );
  });

  it('spreads keys that differ only at their end evenly', () => {
    const buckets = Array.from({ length: 20 }, () => 0);
    for (let i = 0; i < 20_000; i++) {
      buckets[Math.floor(stickyPosition(`patient-${i}`, 'risk') * 20)]!++;
    }
    // 1000 ± 6 standard deviations of a binomial.
    for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(6 * Math.sqrt(950));
  });

  it('chooses different callers first for another deployment', () => {
    const first = (salt: string): string[] =>
      Array.from({ length: 1000 }, (_, i) => `key-${i}`).filter(
        (key) => stickyPosition(key, salt) < 0.1,
      );
    const both = new Set(first('ocr'));
    const shared = first('risk').filter((key) => both.has(key)).length;
    expect(shared).toBeLessThan(40);
  });
});
