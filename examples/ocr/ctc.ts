/**
 * Greedy decoding of a connectionist temporal classification (Graves et al., 2006): the likeliest
 * class of every step, repetitions merged, blanks dropped. A character that is really doubled has a
 * blank between its two halves.
 */
/**
 * Probability from which a gap between two characters is a space. Half would be the greedy rule, but
 * the network learnt from Chinese text, where spaces are rare, and hesitates to name one: over 600
 * gaps of drawn English lines half misses 3 %, and this a few in a thousand, for one wrong space in
 * a thousand letters.
 */
const LEAST_SPACE = 0.1;

export interface Reading {
  readonly text: string;
  /** Mean probability of the steps that gave a character; 0 for no text. */
  readonly confidence: number;
}

/** @param text one character per line. Class 0 is the blank; the space follows the last line. */
export function parseDictionary(text: string): readonly string[] {
  const characters = text.split(/\r?\n/);
  if (characters.at(-1) === '') characters.pop();
  return ['', ...characters, ' '];
}

/**
 * @param probabilities [steps, classes], each row a distribution.
 * @param dictionary the character of each class, the blank first, the space last.
 */
export function decodeGreedily(
  probabilities: Float32Array,
  dictionary: readonly string[],
): Reading {
  const classes = dictionary.length;
  const space = classes - 1;
  const steps = probabilities.length / classes;
  let text = '';
  let total = 0;
  let count = 0;
  let previous = 0;
  // Highest probability of a space since the last character.
  let gap = 0;
  for (let step = 0; step < steps; step++) {
    const start = step * classes;
    const winner = likeliest(probabilities, start, start + classes);
    gap = Math.max(gap, probabilities[start + space]!);
    if (winner !== previous && winner !== 0 && winner !== space) {
      if (gap >= LEAST_SPACE && text !== '') text += ' ';
      text += dictionary[winner]!;
      total += probabilities[start + winner]!;
      count++;
    }
    if (winner !== 0 && winner !== space) gap = 0;
    previous = winner;
  }
  return { text, confidence: count === 0 ? 0 : total / count };
}

/** Index of the largest value, counted from `start`. More than half of a distribution is its maximum, so the search may end there. */
function likeliest(probabilities: Float32Array, start: number, end: number): number {
  let best = start;
  let highest = probabilities[start]!;
  for (let index = start + 1; highest <= 0.5 && index < end; index++) {
    const value = probabilities[index]!;
    if (value > highest) {
      highest = value;
      best = index;
    }
  }
  return best - start;
}
