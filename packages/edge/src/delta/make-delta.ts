/**
 * Makes the delta between two versions of a file. Tensors of models are paired by their places, and stored as their
 * differences; everything else is searched in the parent, byte by byte.
 */
import { OnnxError, tensorPlaces, type TensorPlace } from '@skein/onnx';
import type { Bytes } from '../trust/source.ts';
import { NUMBERS, type Width } from './differences.ts';
import { copies } from './copies.ts';
import { writeRecipe, type Step } from './recipe.ts';

/** Smaller tensors are searched like other bytes: a step takes as much. */
const LEAST_TENSOR_BYTES = 16;

/** The recipe, not compressed. */
export function makeDelta(parent: Bytes, target: Bytes): Bytes {
  const before = new Map(placesOf(parent).map((each) => [each.key, each]));
  const pairs = placesOf(target).flatMap(({ key, at, length, width }) => {
    const old = before.get(key);
    return old === undefined ? [] : [{ at, length, width, from: old.at }];
  });
  const search = copies(parent, target, pairs);
  const steps: Step[] = [];
  let at = 0;
  for (const pair of pairs.toSorted((a, b) => a.at - b.at)) {
    if (pair.at > at) steps.push(...search(at, pair.at));
    steps.push(tensorStep(parent, target, pair));
    at = pair.at + pair.length;
  }
  steps.push(...search(at, target.length));
  return writeRecipe(parent, target, merged(steps));
}

interface Numbered {
  /** The same for a tensor of the same place, type and length in another version. */
  readonly key: string;
  readonly at: number;
  readonly length: number;
  readonly width: Width;
}

interface Pair extends Omit<Numbered, 'key'> {
  /** Place in the parent. */
  readonly from: number;
}

const WIDTHS: Readonly<Partial<Record<string, Width>>> = {
  int4: 1,
  uint4: 1,
  int8: 1,
  uint8: 1,
  float16: 2,
  bfloat16: 2,
  int16: 2,
  uint16: 2,
  float32: 4,
  int32: 4,
  uint32: 4,
};

/** Tensors whose numbers can be compared; none of a file that is no model. */
function placesOf(bytes: Bytes): readonly Numbered[] {
  let places: readonly TensorPlace[];
  try {
    places = tensorPlaces(bytes);
  } catch (error) {
    if (error instanceof OnnxError) return [];
    throw error;
  }
  /** Nodes without a name share a place. */
  const seen = new Map<string, number>();
  return places.flatMap(({ place, type, at, length }) => {
    const width = WIDTHS[type];
    if (width === undefined || length < LEAST_TENSOR_BYTES || length % width !== 0) return [];
    const same = `${type} ${length} ${place}`;
    const count = seen.get(same) ?? 0;
    seen.set(same, count + 1);
    return [{ key: `${count} ${same}`, at, length, width }];
  });
}

function tensorStep(parent: Bytes, target: Bytes, pair: Pair): Step {
  const { at, length, from, width } = pair;
  const own = target.subarray(at, at + length);
  if (own.every((byte, i) => byte === parent[from + i])) return { kind: 'copy', length, from };
  const isNear = differenceBits(parent, target, pair) < bytesBits(own);
  return isNear ? { kind: width, length, from } : { kind: 'insert', length };
}

/** About the bits of the differences when they are coded. */
function differenceBits(parent: Bytes, target: Bytes, { at, length, from, width }: Pair): number {
  const { read, wrap } = NUMBERS[width];
  const counts = new Float64Array(33);
  for (let i = 0; i < length; i += width) {
    const size = Math.abs(wrap(read(target, at + i) - read(parent, from + i)));
    counts[size === 0 ? 0 : 32 - Math.clz32(size)]! += 1;
  }
  // The bits below the first one, and a sign.
  return entropyBits(counts) + counts.reduce((sum, count, bits) => sum + count * bits, 0);
}

function bytesBits(bytes: Uint8Array): number {
  const counts = new Float64Array(256);
  for (const byte of bytes) counts[byte]! += 1;
  return entropyBits(counts);
}

function entropyBits(counts: Float64Array): number {
  const all = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce(
    (sum, count) => (count === 0 ? sum : sum + count * Math.log2(all / count)),
    0,
  );
}

/** Joins steps that continue each other. */
function merged(steps: readonly Step[]): readonly Step[] {
  const result: Step[] = [];
  for (const step of steps) {
    const last = result.at(-1);
    const isNext =
      last !== undefined &&
      last.kind === step.kind &&
      (last.kind === 'insert' || (step.kind !== 'insert' && last.from + last.length === step.from));
    if (isNext) result[result.length - 1] = { ...last, length: last.length + step.length };
    else result.push(step);
  }
  return result;
}
