/** Rows with a logit and a label, and the counts of them by a naive loop. */
import { seededRandom } from '@skein/onnx';
import type { ScoreCounts } from '../score-counts.ts';

export interface ScoredRow {
  readonly logit: number;
  readonly label: 0 | 1;
}

/** A standard normal number (Box and Muller). */
export function normal(random: { next(): number }): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}

/** Rows whose labels follow the logits divided by `temperature`. */
export function drawnRows(count: number, seed: number, temperature = 1): ScoredRow[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const logit = 2.5 * normal(random);
    const p = 1 / (1 + Math.exp(-logit / temperature));
    return { logit, label: random.next() < p ? 1 : 0 };
  });
}

export const evenBorders = (bins: number, most = 8): number[] =>
  Array.from({ length: bins + 1 }, (_, i) => -most + (2 * most * i) / bins);

/** Counts each row; noise of a deviation is added to each count. */
export function countedBy(
  rows: readonly ScoredRow[],
  borders: readonly number[],
  { deviation = 0, seed = 1 } = {},
): ScoreCounts {
  const random = seededRandom(seed);
  const bins = borders.length - 1;
  const counts = [0, 1].map((label) =>
    Array.from({ length: bins }, (_, bin) => {
      const low = bin === 0 ? -Infinity : borders[bin]!;
      const high = bin === bins - 1 ? Infinity : borders[bin + 1]!;
      const found = rows.filter(
        (row) => row.label === label && row.logit >= low && row.logit < high,
      );
      return found.length + (deviation === 0 ? 0 : deviation * normal(random));
    }),
  );
  return { borders, negatives: counts[0]!, positives: counts[1]!, unscored: 0, deviation };
}
