import { expect, test } from 'vitest';
import { score } from './rendezvous.ts';

const KEYS = 20_000;

/** How many keys prefer each member of these weights. */
function wonBy(weights: readonly number[]): number[] {
  const won = weights.map(() => 0);
  for (let key = 0; key < KEYS; key++) {
    const scores = weights.map((weight, i) => score(`model-${key}`, `member-${i}`, weight));
    won[scores.indexOf(Math.max(...scores))]! += 1;
  }
  return won;
}

test('keys spread over members in proportion to their weights', () => {
  for (const weights of [Array<number>(20).fill(1), [1, 2, 4], [1e9, 2e9]]) {
    const all = weights.reduce((sum, weight) => sum + weight, 0);
    for (const [i, won] of wonBy(weights).entries()) {
      const share = weights[i]! / all;
      // Four standard deviations of a fair draw.
      expect(Math.abs(won - KEYS * share)).toBeLessThan(4 * Math.sqrt(KEYS * share * (1 - share)));
    }
  }
});

test('the first preference of a key is independent of its second', () => {
  const second = [0, 0, 0, 0];
  for (let key = 0; key < KEYS; key++) {
    const scores = second.map((_, i) => score(`${key}`, `${i}`, 1));
    if (scores.indexOf(Math.max(...scores)) !== 0) continue;
    scores[0] = -Infinity;
    second[scores.indexOf(Math.max(...scores))]! += 1;
  }
  const all = second.reduce((sum, count) => sum + count, 0);
  for (const count of second.slice(1)) {
    expect(Math.abs(count - all / 3)).toBeLessThan(4 * Math.sqrt((all * 2) / 9));
  }
});

test('is the same in every version: members of two of them place alike', () => {
  const scores = [
    score('risk', 'a', 1),
    score('a', 'risk', 1),
    score('ab', 'c', 1),
    score('a', 'bc', 1),
    score('', '', 2 ** 33),
    score('modèle', '0123456789abcdef', 3.5),
  ];
  expect(scores).toEqual([
    1.2406768764634162, 1.7321503444477666, 2.7539392708906787, 3.623630975565824,
    8100485494.569721, 384.36736015328603,
  ]);
});
