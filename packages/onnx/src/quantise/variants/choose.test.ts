/** The choice among variants against a list that tries every one. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../tensor/random.ts';
import { choose, SAME_SPEED, type Budget, type Measured } from './choose.ts';

const BUDGET: Budget = { maxError: 0.1, maxDrop: 1 };
const variant = (name: string, more: Partial<Measured> = {}): Measured => ({
  name,
  bytes: 100,
  error: 0.01,
  drop: 0,
  ratio: 0.5,
  ...more,
});

describe('choose', () => {
  it('takes the least product of size and time', () => {
    const variants = [
      variant('large and fast', { bytes: 200, ratio: 0.2 }),
      variant('small and slow', { bytes: 50, ratio: 1 }),
      variant('both', { bytes: 100, ratio: 0.3 }),
    ];
    expect(choose(variants, BUDGET).chosen).toBe('both');
  });

  it('never takes one that is slower than the float model, unless only it fits into a size', () => {
    const variants = [variant('fast', { bytes: 400 }), variant('slow', { bytes: 100, ratio: 1.2 })];
    expect(choose(variants, BUDGET)).toMatchObject({ chosen: 'fast', isSlower: false });
    expect(choose([variants[1]!], BUDGET)).toMatchObject({ chosen: undefined, isSlower: false });
    expect(choose(variants, { ...BUDGET, maxBytes: 500 })).toMatchObject({ chosen: 'fast' });
    expect(choose(variants, { ...BUDGET, maxBytes: 200 })).toMatchObject({
      chosen: 'slow',
      isSlower: true,
    });
  });

  it.each([
    ['error', { error: 0.11 }],
    ['error', { error: NaN }],
    ['drop', { drop: 1.01 }],
    ['drop', { drop: NaN }],
    ['slower', { ratio: SAME_SPEED + 0.01 }],
    ['target', { ratio: undefined }],
  ] as const)('refuses for %s', (reason, more) => {
    const { chosen, refused } = choose([variant('it', more)], BUDGET);
    expect(chosen).toBeUndefined();
    expect([...refused]).toEqual([['it', reason]]);
  });

  it('is within every limit, and the cheapest that is, in thousands of cases', () => {
    const random = seededRandom(11);
    for (let round = 0; round < 3000; round++) {
      const variants = Array.from({ length: 5 }, (_, at) =>
        variant(String(at), {
          bytes: Math.ceil(random.next() * 200),
          error: random.next() * 0.2,
          drop: random.next() < 0.3 ? undefined : random.next() * 2,
          ratio: random.next() < 0.1 ? undefined : random.next() * 2,
        }),
      );
      const maxBytes = random.next() < 0.5 ? undefined : random.next() * 200;
      const budget = { ...BUDGET, maxBytes };
      const good = variants.filter(
        ({ bytes, error, drop = 0 }) =>
          error <= 0.1 && drop <= 1 && bytes <= (maxBytes ?? Infinity),
      );
      const fast = good.filter(({ ratio = Infinity }) => ratio <= SAME_SPEED);
      const slow = good.filter(({ ratio = 0 }) => ratio > SAME_SPEED);
      const pool = fast.length > 0 || maxBytes === undefined ? fast : slow;
      const least = Math.min(...pool.map(({ bytes, ratio }) => bytes * ratio!));
      const best = pool.find(({ bytes, ratio }) => least === bytes * ratio!);
      expect(choose(variants, budget)).toMatchObject({
        chosen: best?.name,
        isSlower: best !== undefined && fast.length === 0,
      });
    }
  });
});
