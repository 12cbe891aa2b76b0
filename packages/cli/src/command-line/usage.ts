/** Errors of the command line: exit code 2, and a suggestion. */
import { SkeinError } from '@skein/api/errors';

export function usageError(message: string): SkeinError {
  return new SkeinError('USAGE', message);
}

/** ` Did you mean "deploy"?` when one of the known words is close, else nothing. */
export function didYouMean(given: string, known: readonly string[]): string {
  let best: string | undefined;
  // At least one letter must match: one letter for another is not a near miss.
  let bestDistance = Math.min(given.length, Math.max(1, Math.floor(given.length / 3)) + 1);
  for (const word of known) {
    const distance = editDistance(given, word);
    if (distance < bestDistance) {
      best = word;
      bestDistance = distance;
    }
  }
  return best === undefined ? '' : ` Did you mean "${best}"?`;
}

/**
 * Optimal string alignment distance: insertions, deletions, substitutions and swaps of adjacent
 * letters.
 */
export function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const current = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1];
      let cost = Math.min(
        at(previous, j) + 1,
        at(current, j - 1) + 1,
        at(previous, j - 1) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        cost = Math.min(cost, at(beforePrevious, j - 2) + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, to.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}

/** The pairs that an option was given, such as `NAME=VALUE`. @throws SkeinError USAGE. */
export function pairsOf(
  option: string,
  form: string,
  given: readonly string[],
  equalsIn = (entry: string): number => entry.indexOf('='),
): Record<string, string> {
  return Object.fromEntries(
    given.map((entry) => {
      const equals = equalsIn(entry);
      if (equals < 1) throw usageError(`${option}: "${entry}" is not ${form}.`);
      return [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}
