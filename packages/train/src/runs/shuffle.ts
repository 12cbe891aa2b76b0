/** How the rows of a training are visited, by their size and the memory of the machine. */
import { formatBytes } from '@skein/api/units';
import { seededRandom } from '@skein/onnx';
import { bytesPerRow, isStored } from '../data/rows/stored.ts';
import type { Shuffle } from '../task/define-training.ts';
import { rowsOf, type TrainingData } from '../task/training-data.ts';

/** Bytes of a row in memory beyond the row itself, in any order: its label, its places in splits and orders, while they are copied. */
const OVERHEAD_BYTES = 32;
/** A label, as int64. */
const LABEL_BYTES = 8;

/**
 * Rows in a random order are fast while the memory that the system has left for cached files holds all of them. Half of
 * the memory is for the program, and for others.
 */
export function shuffleFor(rows: number, rowBytes: number, memoryBytes: number): Shuffle {
  return rows * (rowBytes + OVERHEAD_BYTES) > memoryBytes / 2 ? 'blocks' : 'rows';
}

/** Bytes of an encoded row, its label included; undefined where all rows are in memory. */
export function storedRowBytes(data: TrainingData): number | undefined {
  if (data.from === 'table') {
    if (data.table.store === undefined) return undefined;
    const features = data.features?.length ?? data.table.columns.length - 1;
    return 4 * features + LABEL_BYTES;
  }
  const inputs = [...data.inputs.values()];
  if (!inputs.some(isStored)) return undefined;
  return inputs.reduce((sum, each) => sum + bytesPerRow(each), LABEL_BYTES);
}

/** The sentence for the user of a training in blocks. */
export function shuffleNote(data: TrainingData, memoryBytes: number): string {
  const bytes = rowsOf(data) * (storedRowBytes(data) ?? 0);
  return `The rows take ${formatBytes(bytes)}, and the memory is ${formatBytes(memoryBytes)}: they are shuffled in a file once, and each epoch visits its blocks in another order. \`shuffle\` rows or blocks chooses.`;
}

/**
 * Marks the rows that are held out, as many as `splitRows` would, in memory of a byte for each row. Each choice of so
 * many rows is equally likely (algorithm S in Knuth, The Art of Computer Programming, 3.4.2).
 * @param share of the rows that is trained on.
 */
export function heldMarks(
  count: number,
  { share, seed }: { readonly share: number; readonly seed: number },
): Uint8Array {
  const random = seededRandom(seed);
  const marks = new Uint8Array(count);
  let left = count - Math.min(Math.max(Math.round(count * share), 1), count - 1);
  for (let row = 0; row < count && left > 0; row++) {
    if (random.next() * (count - row) >= left) continue;
    marks[row] = 1;
    left--;
  }
  return marks;
}
