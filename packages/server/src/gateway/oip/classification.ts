/**
 * Names of classes in answers: next to an output, and by Triton's classification extension. Instead of an output's tensor, the client gets its highest
 * values as BYTES, each as `value:index` or `value:index:label`, best first.
 *
 * A batched model gives [rows, classes], any other one list over all elements, like Triton. Labels
 * are the version's, where it has as many as a row has values. Equal values keep the order
 * of their indices, and NaN comes last.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { SkeinError } from '@skein/api';
import { elementCount, numbersOf, type Tensor, type TensorMap } from '@skein/onnx';
import type { DeployedModel } from '@skein/serving';
import { MAX_STRINGS } from './tensors/tensor-bytes.ts';
import { invalidRequest } from '../brief.ts';

/** Classes to return by output. */
export type Classes = ReadonlyMap<string, number>;
type Numbers = ReturnType<typeof numbersOf>;
type Labels = readonly string[] | undefined;

/** Work before the event loop runs, in compared values: one to two milliseconds. */
const WORK_PER_TURN = 1 << 19;
/** Work of sorting one value, and of printing one. */
const SORT_WORK = 16;
const PRINT_WORK = 1024;
const utf8 = new TextEncoder();

/** @throws SkeinError REQUEST_INVALID if an output holds strings, or the answer would have too many. */
export async function classified(
  outputs: TensorMap,
  classes: Classes,
  model: Pick<DeployedModel, 'maxBatchRows' | 'labels'>,
): Promise<TensorMap> {
  const result = new Map(outputs);
  for (const [name, count] of classes) {
    const tensor = outputs.get(name);
    if (tensor !== undefined) result.set(name, await classify(name, tensor, count, model));
  }
  return result;
}

/** The output that holds the names of the classes that another scores. */
export const classNameOf = (output: string): string => `${output}.class`;

/**
 * The outputs, and the name of each row's class where an output scores the labels: for `scores`
 * [rows, classes] an output `scores.class` [rows]. Of two classes `probability` [rows, 1], which
 * `skein train` writes, is the share of the second.
 */
export async function withClassNames(
  outputs: TensorMap,
  { labels }: Pick<DeployedModel, 'labels'>,
): Promise<TensorMap> {
  if (labels === undefined) return outputs;
  const result = new Map(outputs);
  const pace = { work: 0 };
  for (const [name, tensor] of outputs) {
    const added = classNameOf(name);
    const width = tensor.shape.at(-1);
    const isShare = name === 'probability' && width === 1 && labels.length === 2;
    if (!tensor.type.includes('float') || tensor.type === 'string' || outputs.has(added)) continue;
    if (width === undefined || (width !== labels.length && !isShare)) continue;
    const shape = tensor.shape.slice(0, -1);
    if (elementCount(shape) > MAX_STRINGS) continue;
    const numbers = numbersOf(tensor);
    const elements: Uint8Array[] = [];
    for (let from = 0; from < numbers.length; from += width) {
      const [best] = isShare ? [] : await highest(numbers, from, from + width, 1, pace);
      const index = best === undefined ? Number(numbers[from]! >= 0.5) : best - from;
      elements.push(utf8.encode(labels[index]));
    }
    result.set(added, { type: 'string', shape, elements });
  }
  return result;
}

async function classify(
  name: string,
  tensor: Tensor,
  count: number,
  { maxBatchRows, labels }: Pick<DeployedModel, 'maxBatchRows' | 'labels'>,
): Promise<Tensor> {
  if (tensor.type === 'string') throw invalid(name, 'it holds strings, which have no order');
  const isBatched = maxBatchRows > 1 && tensor.shape.length > 0;
  const rows = isBatched ? tensor.shape[0]! : 1;
  const width = rows === 0 ? 0 : elementCount(tensor.shape) / rows;
  const kept = Math.min(count, width);
  if (rows * kept > MAX_STRINGS) {
    throw invalid(name, `${rows} × ${kept} classes are more than the ${MAX_STRINGS} of an answer`);
  }
  const numbers = numbersOf(tensor);
  const named: Labels = labels?.length === width ? labels : undefined;
  const pace = { work: 0 };
  const elements: Uint8Array[] = [];
  for (let row = 0; row < rows; row++) {
    for (const at of await highest(numbers, row * width, (row + 1) * width, kept, pace)) {
      if ((pace.work += PRINT_WORK) >= WORK_PER_TURN) await rest(pace);
      const index = at - row * width;
      const label = named === undefined ? '' : `:${named[index]}`;
      elements.push(utf8.encode(`${shortest(tensor.type, numbers[at]!)}:${index}${label}`));
    }
  }
  return { type: 'string', shape: isBatched ? [rows, kept] : [kept], elements };
}

/** Work since the event loop ran, also in the rows before: an output may have many short ones. */
interface Pace {
  work: number;
}

async function rest(pace: Pace): Promise<void> {
  pace.work = 0;
  await turn();
}

/** Positions of the `count` highest values between `from` and `to`, best first. */
async function highest(
  numbers: Numbers,
  from: number,
  to: number,
  count: number,
  pace: Pace,
): Promise<readonly number[]> {
  const order = (one: number, other: number): number =>
    descending(numbers[one]!, numbers[other]!) || one - other;
  const found: number[] = [];
  /** The lowest of the values that are kept, once there are enough. */
  let bar: number | bigint | undefined;
  const prune = (): void => {
    pace.work += SORT_WORK * found.length;
    found.sort(order);
    found.length = Math.min(count, found.length);
    const last = found.length === count ? numbers[found.at(-1)!] : undefined;
    // Every value is better than NaN.
    bar = last === last ? last : undefined;
  };
  if (count === 0) return found;
  for (let at = from; at < to; at++) {
    if (++pace.work >= WORK_PER_TURN) await rest(pace);
    if (bar !== undefined && !(numbers[at]! > bar)) continue;
    found.push(at);
    if (found.length >= 2 * count) prune();
  }
  prune();
  return found;
}

function descending(one: number | bigint, other: number | bigint): number {
  if (one > other) return -1;
  if (one < other) return 1;
  return Number(one !== one) - Number(other !== other);
}

/** Digits that distinguish any two floats of 32 bits. */
const FLOAT_DIGITS = 9;

/** The shortest decimal that is rounded to the same value. */
function shortest(type: Tensor['type'], value: number | bigint): string {
  if (typeof value === 'bigint' || !Number.isFinite(value)) return String(value);
  const round = type === 'float16' ? Math.f16round : Math.fround;
  if (type === 'float64' || !type.includes('float')) return String(value);
  for (let digits = 1; digits < FLOAT_DIGITS; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (round(shorter) === value) return String(shorter);
  }
  return String(Number(value.toPrecision(FLOAT_DIGITS)));
}

function invalid(output: string, why: string): SkeinError {
  return invalidRequest(`Output "${output}" cannot be classified: ${why}.`);
}
