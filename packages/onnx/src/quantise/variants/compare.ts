/**
 * Compares the answers of a variant with the float model's: the error of its numbers, the
 * decisions that changed, and, where labels are given, the share of right decisions.
 */
import { numbersOf } from '../../tensor/numbers.ts';
import type { NumericTensor, TensorMap } from '../../tensor/tensor.ts';
import type { OpenModel, Samples } from '../evaluator.ts';

export interface Difference {
  /** Root mean square of the difference over the float answers' own, for the worst output. */
  readonly error: number;
  /** Share of decisions that differ from the float model's; absent where outputs take none. */
  readonly changed?: number;
}

/** Decisions of all samples in their order: the place of the largest number, or 1 from a half on. */
export type Decisions = readonly number[];

export interface Answers {
  readonly outputs: readonly TensorMap[];
  readonly decisions: Decisions | undefined;
}

export async function answersOf(open: OpenModel, samples: Samples): Promise<Answers> {
  const outputs: TensorMap[] = [];
  for await (const feeds of samples) outputs.push(await open.run(feeds));
  return { outputs, decisions: decisionsOf(outputs) };
}

/** @throws RangeError when the answers have other outputs or shapes. */
export function differenceOf(found: Answers, wanted: Answers): Difference {
  const sums = new Map<string, { squares: number; whole: number }>();
  for (const [at, sample] of wanted.outputs.entries()) {
    for (const [name, expected] of sample) {
      if (expected.type === 'string') continue;
      const other = found.outputs[at]?.get(name);
      if (other?.type !== expected.type || String(other.shape) !== String(expected.shape)) {
        throw new RangeError(`The output '${name}' has another shape.`);
      }
      const sum = sums.get(name) ?? { squares: 0, whole: 0 };
      sums.set(name, addDifference(sum, numbersOf(other), numbersOf(expected)));
    }
  }
  const errors = [...sums.values()].map(({ squares, whole }) =>
    squares === 0 ? 0 : Math.sqrt(squares / whole),
  );
  const error = errors.reduce(
    (worst, each) => (each > worst || Number.isNaN(each) ? each : worst),
    0,
  );
  const { decisions } = wanted;
  if (decisions === undefined) return { error };
  const differing = decisions.filter((each, at) => found.decisions?.[at] !== each).length;
  return { error, changed: differing / decisions.length };
}

/** Share of the decisions that are the label of their row; 0 labels give NaN. */
export function accuracyOf(decisions: Decisions, labels: readonly number[]): number {
  const right = labels.filter((label, at) => decisions[at] === label).length;
  return right / labels.length;
}

function addDifference(
  { squares, whole }: { squares: number; whole: number },
  found: ArrayLike<number | bigint>,
  wanted: ArrayLike<number | bigint>,
): { squares: number; whole: number } {
  for (let i = 0; i < wanted.length; i++) {
    const expected = Number(wanted[i]);
    const number = Number(found[i]);
    // Equal infinities, which some models give for what is left out, have no difference.
    if (number !== expected) squares += (number - expected) ** 2;
    if (Number.isFinite(expected)) whole += expected ** 2;
  }
  return { squares, whole };
}

/** The first output that takes decisions has them: rows of several numbers, or one probability each. */
function decisionsOf(outputs: readonly TensorMap[]): Decisions | undefined {
  const [first] = outputs;
  if (first === undefined) return undefined;
  for (const [name, { type, shape }] of first) {
    if (!type.includes('float') || shape.length === 0) continue;
    const all = outputs.map((each) => each.get(name) as NumericTensor);
    const width = shape.at(-1)!;
    if (width > 1) return all.flatMap((each) => places(numbersOf(each), width));
    const numbers = all.flatMap((each) => Array.from(numbersOf(each), Number));
    if (numbers.every((each) => each >= 0 && each <= 1)) {
      return numbers.map((each) => Number(each >= 0.5));
    }
  }
  return undefined;
}

function places(numbers: ArrayLike<number | bigint>, width: number): number[] {
  return Array.from({ length: numbers.length / width }, (_, row) => {
    let best = 0;
    for (let i = 1; i < width; i++) {
      if (numbers[row * width + i]! > numbers[row * width + best]!) best = i;
    }
    return best;
  });
}
