/**
 * Golden vectors: inputs with the answers of the publisher's machine. A device runs them before it trusts a version, since
 * the same model gives other numbers, and sometimes another class, on another backend.
 *
 * Inputs are given, or made from a seed, which takes no bytes. Of an output they hold numbers at even distances, and the
 * place of the largest number of each row, the decision: 3 KB in place of 1 MB for the OCR recogniser.
 */
import { readJson } from '@skein/api/foreign-json';
import { utf8 } from '@skein/api/canonical';
import {
  elementCount,
  numbersOf,
  seededRandom,
  tensorOfNumbers,
  type NumericTensor,
  type Signature,
  type TensorMap,
} from '@skein/onnx';
import type { Session } from '@skein/runtime/contract';
import { z } from 'zod';
import type { Bytes } from '../trust/source.ts';
import { invalid, type Tolerance } from './manifest.ts';

/** Numbers of one output that are compared: a wrong weight changes nearly all of them. */
const MOST_NUMBERS = 128;
/** Rows whose decisions are compared. */
const MOST_ROWS = 256;
/** Size of an axis that the model leaves open; the first one, the batch, has 1. */
const OPEN_AXIS = 32;
const MOST_GOLDEN_BYTES = 64 * 2 ** 20;

const Shape = z.array(z.number().int().min(0));
const Input = z.strictObject({
  type: z.string(),
  shape: Shape,
  seed: z.number().int().optional(),
  data: z.array(z.number()).optional(),
});
const Output = z.strictObject({
  shape: Shape,
  numbers: z.array(z.number().nullable()),
  decisions: z.array(z.number().int()),
});
const Vectors = z.array(
  z.strictObject({
    inputs: z.record(z.string(), Input),
    outputs: z.record(z.string(), Output),
  }),
);
export type GoldenVectors = z.output<typeof Vectors>;
export type GoldenInputs = GoldenVectors[number]['inputs'];

export function parseGolden(bytes: Bytes): GoldenVectors {
  const bounds = { bytes: MOST_GOLDEN_BYTES, depth: 16, values: 8_000_000, members: 1000 };
  try {
    return Vectors.parse(readJson(bytes, bounds));
  } catch (error) {
    throw invalid('The golden vectors cannot be read.', error);
  }
}

export function goldenFile(vectors: GoldenVectors): Bytes {
  return utf8(JSON.stringify(vectors));
}

/** Inputs of a model from seeds: uniform in [-1, 1), or small whole numbers. */
export function seededInputs(signature: Signature, seed: number): GoldenInputs {
  const inputs = signature.inputs.map(({ name, type, shape }, i) => {
    const sizes = shape.map((size, axis) =>
      typeof size === 'number' && size > 0 ? size : axis === 0 ? 1 : OPEN_AXIS,
    );
    return [name, { type, shape: sizes, seed: seed * 100 + i }] as const;
  });
  return Object.fromEntries(inputs);
}

/** Inputs that a user gives. */
export function givenInputs(tensors: Readonly<Record<string, NumericTensor>>): GoldenInputs {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [
      name,
      { type: tensor.type, shape: [...tensor.shape], data: Array.from(numbersOf(tensor), Number) },
    ]),
  );
}

/** The vectors of a model: the inputs with what a session answers. */
export async function recordGolden(
  session: Session,
  inputs: readonly GoldenInputs[],
): Promise<GoldenVectors> {
  const vectors: GoldenVectors = [];
  for (const each of inputs) {
    const { outputs } = await session.run(tensorsOf(each));
    vectors.push({ inputs: each, outputs: recorded(outputs) });
  }
  return vectors;
}

/** The worst of all outputs, in the terms of a tolerance. */
export async function measureGolden(session: Session, vectors: GoldenVectors): Promise<Tolerance> {
  let relative = 0;
  let decisions = 0;
  for (const { inputs, outputs } of vectors) {
    const found = recorded((await session.run(tensorsOf(inputs))).outputs);
    for (const [name, expected] of Object.entries(outputs)) {
      const difference = differenceOf(expected, found[name]);
      relative = Math.max(relative, difference.relative);
      decisions = Math.max(decisions, difference.decisions);
    }
  }
  return { relative, decisions };
}

/** Why a backend may not run a version; undefined if it may. */
export function goldenFault(found: Tolerance, allowed: Tolerance): string | undefined {
  if (!(found.relative <= allowed.relative)) {
    return `numbers differ by ${share(found.relative)}, and may by ${share(allowed.relative)}`;
  }
  if (found.decisions > allowed.decisions) {
    return `${share(found.decisions)} of the decisions differ, and ${share(allowed.decisions)} may`;
  }
  return undefined;
}

const share = (part: number): string => `${Number((100 * part).toPrecision(2))} %`;

type Recorded = GoldenVectors[number]['outputs'];

function recorded(outputs: TensorMap): Recorded {
  const found: Recorded = {};
  for (const [name, tensor] of outputs) {
    if (tensor.type === 'string') continue;
    const numbers = Array.from(numbersOf(tensor), Number);
    const count = Math.min(numbers.length, MOST_NUMBERS);
    const picked = Array.from({ length: count }, (_, i) => {
      const number = numbers[Math.floor((i * numbers.length) / count)]!;
      // Single precision has nine digits; JSON has no infinity.
      return Number.isFinite(number) ? Number(number.toPrecision(9)) : null;
    });
    found[name] = {
      shape: [...tensor.shape],
      numbers: picked,
      decisions: decisionsOf(tensor, numbers),
    };
  }
  return found;
}

/** The place of the largest number of each row of the last axis. */
function decisionsOf({ shape }: NumericTensor, numbers: readonly number[]): number[] {
  const width = shape.at(-1) ?? 1;
  if (width < 2) return [];
  const rows = Math.min(numbers.length / width, MOST_ROWS);
  return Array.from({ length: rows }, (_, row) => {
    let best = 0;
    for (let i = 1; i < width; i++) {
      if (numbers[row * width + i]! > numbers[row * width + best]!) best = i;
    }
    return best;
  });
}

function differenceOf(expected: Recorded[string], found: Recorded[string] | undefined): Tolerance {
  const worst = { relative: Infinity, decisions: 1 };
  if (found === undefined || String(found.shape) !== String(expected.shape)) return worst;
  const scale = Math.max(...expected.numbers.map((each) => Math.abs(each ?? 0)), Number.MIN_VALUE);
  let relative = 0;
  for (const [i, number] of expected.numbers.entries()) {
    const other = found.numbers[i] ?? null;
    if (number === null && other === null) continue;
    if (number === null || other === null) return worst;
    relative = Math.max(relative, Math.abs(number - other) / scale);
  }
  const differing = expected.decisions.filter((each, i) => found.decisions[i] !== each).length;
  return { relative, decisions: differing / Math.max(1, expected.decisions.length) };
}

export function tensorsOf(inputs: GoldenInputs): TensorMap {
  return new Map(
    Object.entries(inputs).map(([name, { type, shape, seed, data }]) => {
      const numbers = data ?? seededNumbers(type, elementCount(shape), seed ?? 0);
      return [name, tensorOfNumbers(type as NumericTensor['type'], shape, numbers)];
    }),
  );
}

function seededNumbers(type: string, count: number, seed: number): number[] {
  const random = seededRandom(seed);
  const isFloat = type.includes('float');
  return Array.from({ length: count }, () =>
    isFloat
      ? 2 * random.next() - 1
      : type === 'bool'
        ? Math.round(random.next())
        : Math.floor(8 * random.next()),
  );
}
