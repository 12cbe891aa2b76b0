import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { decodeGreedily, parseDictionary } from './ctc.ts';
import { DICTIONARY } from './models.ts';

const LETTERS = ['', 'a', 'b', 'c', ' '];
const [BLANK, A, B, , SPACE] = [0, 1, 2, 3, 4] as const;

/** Each step names its class with the given probability; the rest is shared by the others. */
function steps(
  ...winners: readonly (number | readonly [winner: number, probability: number])[]
): Float32Array {
  return Float32Array.from(
    winners.flatMap((each) => {
      const [winner, probability] = typeof each === 'number' ? [each, 0.97] : each;
      const rest = (1 - probability) / (LETTERS.length - 1);
      return LETTERS.map((_, index) => (index === winner ? probability : rest));
    }),
  );
}

/** The textbook's two lines: argmax, then merge, then drop blanks. */
function naive(probabilities: Float32Array, dictionary: readonly string[]): string {
  const path: number[] = [];
  for (let start = 0; start < probabilities.length; start += dictionary.length) {
    const row = probabilities.subarray(start, start + dictionary.length);
    path.push(row.indexOf(Math.max(...row)));
  }
  return path
    .filter((each, index) => each !== path[index - 1] && each !== 0)
    .map((each) => dictionary[each])
    .join('');
}

describe('decodeGreedily', () => {
  it('agrees with argmax, merge, drop where there is no space', () => {
    const alphabet = ['', 'a', 'b', 'c', 'd', 'e'];
    // A last class that is never likely stands where the space would.
    const row = fc.array(fc.double({ min: 0.001, max: 1, noNaN: true }), {
      minLength: 6,
      maxLength: 6,
    });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 12 }), (rows) => {
        const probabilities = Float32Array.from(
          rows.flatMap((weights) => {
            const total = weights.reduce((sum, weight) => sum + weight, 0);
            return [...weights.map((weight) => weight / total), 0];
          }),
        );
        const dictionary = [...alphabet, ' '];
        expect(decodeGreedily(probabilities, dictionary).text).toBe(
          naive(probabilities, dictionary),
        );
      }),
    );
  });

  it('merges repetitions, unless a blank parts them', () => {
    expect(decodeGreedily(steps(A, A, A), LETTERS).text).toBe('a');
    expect(decodeGreedily(steps(A, BLANK, A, B, B), LETTERS).text).toBe('aab');
  });

  it('gives the mean probability of the characters alone', () => {
    const reading = decodeGreedily(steps(BLANK, [A, 0.9], BLANK, [B, 0.7], BLANK), LETTERS);
    expect(reading.confidence).toBeCloseTo(0.8, 6);
  });

  it('reads a gap as a space when the space is likely enough, though the blank is likelier', () => {
    const hesitant = steps(A, BLANK, B);
    hesitant[LETTERS.length + BLANK] = 0.8;
    hesitant[LETTERS.length + SPACE] = 0.15;
    expect(decodeGreedily(hesitant, LETTERS).text).toBe('a b');
    hesitant[LETTERS.length + SPACE] = 0.05;
    expect(decodeGreedily(hesitant, LETTERS).text).toBe('ab');
  });

  it('has one space where several steps name it, and none at the ends', () => {
    const spaced = steps(SPACE, A, SPACE, BLANK, SPACE, B, SPACE);
    expect(decodeGreedily(spaced, LETTERS).text).toBe('a b');
  });

  it('is empty for blanks and for no steps', () => {
    expect(decodeGreedily(steps(BLANK, BLANK), LETTERS)).toEqual({ text: '', confidence: 0 });
    expect(decodeGreedily(new Float32Array(0), LETTERS)).toEqual({ text: '', confidence: 0 });
  });
});

describe('parseDictionary', () => {
  it('has the blank first, the space last, and a character for each of the 6625 classes', () => {
    const dictionary = parseDictionary(readFileSync(DICTIONARY, 'utf8'));
    expect(dictionary.length).toBe(6625);
    expect([dictionary[0], dictionary.at(-1)]).toEqual(['', ' ']);
    expect(dictionary).toContain('A');
  });
});
