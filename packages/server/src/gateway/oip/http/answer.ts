/**
 * Encodes the answer of `POST …/infer`: JSON, followed by the outputs that were requested as
 * binary. Numbers are written by the engine's own `join`, which prints the shortest decimal that
 * parses to the same double; 64-bit integers are exact.
 *
 * JSON has no NaN and no infinities: they are written as the strings "NaN", "Infinity" and
 * "-Infinity", as in Protocol Buffers' JSON mapping, so that any parser accepts the answer.
 */
import { datatypeOf } from '@skein/api';
import { elementCount, numbersOf, type NumericTensor, type Tensor } from '@skein/onnx';
import type { InferenceAnswer } from '@skein/serving';
import type { BinaryChoice } from './request.ts';
import type { SharedSlice } from '../shared-memory/shared-memory.ts';
import { bytesOfTensor } from '../tensors/tensor-bytes.ts';
import { invalidRequest } from '../../brief.ts';

export interface EncodedAnswer {
  /** Text, or the parts of its UTF-8 bytes if it is long. */
  readonly json: string | readonly Uint8Array[];
  /** Binary outputs in the order of the JSON; absent if there is none. */
  readonly binary: readonly Uint8Array[] | undefined;
}

/** The memory of an answer beyond its text. */
export function piecesOf({ json, binary = [] }: EncodedAnswer): Uint8Array[] {
  return typeof json === 'string' ? [...binary] : [...json, ...binary];
}

/**
 * @param id the client's own id, echoed if there is one.
 * @throws SkeinError REQUEST_INVALID if bytes that are not text would have to be written as JSON.
 */
export function encodeAnswer(
  model: string,
  id: string | undefined,
  outputs: readonly string[] | undefined,
  choice: BinaryChoice,
  answer: InferenceAnswer,
): EncodedAnswer & { readonly json: string } {
  let json = '';
  const write = (text: string): void => void (json += text);
  const binary = writeAnswer(write, model, id, outputs, choice, answer);
  return { json, binary };
}

/** `encodeAnswer` in pieces. @param write is called with the JSON, in parts of at most some megabytes. @returns the binary outputs. */
export function writeAnswer(
  write: (text: string) => void,
  model: string,
  id: string | undefined,
  outputs: readonly string[] | undefined,
  choice: BinaryChoice,
  answer: InferenceAnswer,
): readonly Uint8Array[] | undefined {
  let binary: Uint8Array[] | undefined;
  write(
    `{"model_name":${JSON.stringify(model)},"model_version":${JSON.stringify(answer.version)},`,
  );
  if (id !== undefined) write(`"id":${JSON.stringify(id)},`);
  write('"outputs":[');
  let separator = '';
  for (const name of outputs ?? answer.outputs.keys()) {
    const tensor = answer.outputs.get(name);
    if (tensor === undefined) throw new Error(`The answer lacks output "${name}".`);
    write(
      `${separator}{"name":${JSON.stringify(name)},"datatype":"${datatypeOf(tensor.type)}","shape":[${tensor.shape.join(',')}],`,
    );
    separator = ',';
    const slice = choice.shared?.get(name);
    if (slice !== undefined) {
      write(`"parameters":${sharedParameters(slice, bytesOfTensor(tensor).length)}}`);
    } else if (choice.byOutput.get(name) ?? choice.byDefault) {
      const bytes = bytesOfTensor(tensor);
      (binary ??= []).push(bytes);
      write(`"parameters":{"binary_data_size":${bytes.length}}}`);
    } else {
      write('"data":[');
      writeData(write, name, tensor);
      write(']}');
    }
  }
  write(']}');
  return binary;
}

/** Longest text of one element with its comma, in bytes. A byte of a string may be an escape such as `\\u0001`. */
const LONGEST_TEXT: Readonly<Record<Tensor['type'], number>> = {
  bool: 6,
  uint8: 4,
  int8: 5,
  uint16: 6,
  int16: 7,
  uint32: 11,
  int32: 12,
  uint64: 21,
  int64: 21,
  float16: 23,
  bfloat16: 23,
  float32: 24,
  float64: 25,
  string: 6,
};

/** The most that the JSON of an answer's tensors takes, in bytes. */
export function mostText(
  outputs: readonly string[] | undefined,
  choice: BinaryChoice,
  answer: InferenceAnswer,
): number {
  let most = 0;
  for (const name of outputs ?? answer.outputs.keys()) {
    const tensor = answer.outputs.get(name);
    if (tensor === undefined || !isText(name, choice)) continue;
    most += longestText(tensor);
  }
  return most;
}

function longestText(tensor: Tensor): number {
  const longest = LONGEST_TEXT[tensor.type];
  if (tensor.type !== 'string') return longest * elementCount(tensor.shape);
  // Two quotation marks and a comma for each.
  let most = 3 * tensor.elements.length;
  for (const { length } of tensor.elements) most += longest * length;
  return most;
}

/** Whether an output is written as JSON. */
export function isText(name: string, { byOutput, byDefault, shared }: BinaryChoice): boolean {
  return !(byOutput.get(name) ?? byDefault) && shared?.has(name) !== true;
}

/** Elements that are joined at once: all of a tensor take ten times the memory of their text. */
const JOINED = 1 << 16;

/** Where the client finds an output that has been written to shared memory. */
function sharedParameters({ region, offset }: SharedSlice, length: number): string {
  return JSON.stringify({
    shared_memory_region: region,
    shared_memory_offset: offset,
    shared_memory_byte_size: length,
  });
}

function writeData(write: (text: string) => void, name: string, tensor: Tensor): void {
  if (tensor.type === 'string') {
    for (const [index, bytes] of tensor.elements.entries()) {
      write(`${index === 0 ? '' : ','}${text(name, bytes)}`);
    }
    return;
  }
  const numbers = numbersOf(tensor);
  for (let at = 0; at < numbers.length; at += JOINED) {
    if (at > 0) write(',');
    write(jsonNumbers(tensor.type, numbers.subarray(at, at + JOINED)));
  }
}

function jsonNumbers(type: NumericTensor['type'], numbers: ReturnType<typeof numbersOf>): string {
  if (type === 'bool') {
    return Array.from(numbers as Uint8Array, (value) => value !== 0).join(',');
  }
  if (!type.includes('float')) return numbers.join(',');
  return jsonFloats(numbers as Float16Array | Float32Array | Float64Array);
}

function jsonFloats(floats: Float16Array | Float32Array | Float64Array): string {
  for (const value of floats) {
    // NaN, the infinities and negative zero, which `join` would write wrongly.
    if (value - value !== 0 || (value === 0 && 1 / value < 0)) {
      return Array.from(floats, jsonFloat).join(',');
    }
  }
  return floats.join(',');
}

function jsonFloat(value: number): string {
  // Python reads -0 as an integer, which has no sign.
  if (Object.is(value, -0)) return '-0.0';
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function text(name: string, bytes: Uint8Array): string {
  try {
    return JSON.stringify(utf8.decode(bytes));
  } catch {
    throw invalidRequest(
      `Output "${name}" holds bytes that are not UTF-8 text, which JSON cannot carry; ask for it with binary_data: true.`,
    );
  }
}
