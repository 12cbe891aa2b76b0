/** Buckets and similarities of texts against plain sets. */
import { describe, expect, it } from 'vitest';
import { bucketsOf, similarityOf, type Shingles } from './minhash.ts';
import { drawing, jaccardOf, type Draw } from './testing/similar-texts.ts';

const meet = (one: string, other: string, kind: Shingles, threshold: number): boolean => {
  const buckets = new Set(bucketsOf(one, kind, threshold));
  return bucketsOf(other, kind, threshold).some((bucket) => buckets.has(bucket));
};

/** Pairs of texts, the second with some words changed, left out and added. */
function* pairs(draw: Draw, words: number): Generator<[string, string]> {
  for (let count = 0; count < 400; count++) {
    const text = Array.from({ length: words }, () => draw.word());
    const changed = [...text];
    for (let edits = 1 + draw.below(Math.ceil(words / 8)); edits > 0; edits--) {
      changed.splice(
        draw.below(changed.length),
        draw.below(2),
        ...(draw.below(2) === 0 ? [] : [draw.word()]),
      );
    }
    if (changed.length > 0) yield [text.join(' '), changed.join(' ')];
  }
}

describe.each(['characters', 'words'] as const)('shingles of %s', (kind) => {
  it('are compared as sets are', () => {
    const draw = drawing(1);
    for (const [one, other] of pairs(draw, 12)) {
      expect(similarityOf(one, other, kind)).toBe(jaccardOf(one, other, kind));
    }
  });

  it.each([0.5, 0.8, 0.95])('bring together 99 of 100 pairs as similar as %d', (threshold) => {
    const draw = drawing(2);
    let [similar, found] = [0, 0];
    for (const words of [8, 20, 60, 200]) {
      for (const [one, other] of pairs(draw, words)) {
        if (jaccardOf(one, other, kind) < threshold) continue;
        similar++;
        if (meet(one, other, kind, threshold)) found++;
      }
    }
    expect(similar).toBeGreaterThan(100);
    expect(found / similar).toBeGreaterThan(0.99);
  });

  it('seldom bring together texts that have nothing in common', () => {
    const draw = drawing(3);
    const texts = Array.from({ length: 400 }, () =>
      Array.from({ length: 20 }, () => draw.word()).join(' '),
    );
    const byBucket = Map.groupBy(
      texts.flatMap((text) => bucketsOf(text, kind, 0.8)),
      (bucket) => bucket,
    );
    const met = [...byBucket.values()].reduce((sum, { length }) => sum + length - 1, 0);
    expect(met).toBeLessThan(10);
  });
});

it.each([
  ['characters', 'A  b\tC d', 'a b c d', 1],
  ['words', 'One, two: three!', 'one two three', 1],
  ['words', '!!!', '???', 0],
  ['characters', '', '   ', 1],
  ['characters', 'ab', 'abc', 0],
  ['words', 'Straße für alle', 'straße für ALLE', 1],
] as const)('takes %s of %j and %j as %d', (kind, one, other, similarity) => {
  expect(similarityOf(one, other, kind)).toBe(similarity);
  if (similarity === 1) {
    expect(bucketsOf(one, kind, 0.8)).toEqual(bucketsOf(other, kind, 0.8));
  }
});

it('has the same numbers on every machine', () => {
  expect(bucketsOf('the quick brown fox', 'characters', 0.95)).toEqual([
    1249686042, 5698883140, 9082130521, 14753994257, 19401609731, 25243905793, 29679653916,
    30828852519, 35940524918,
  ]);
});
