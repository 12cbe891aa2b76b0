/**
 * Reads and checks the header of a GGUF file (ggml's specification, versions 2 and 3): key-value
 * pairs, then one line per tensor, then the tensors. The file is untrusted, so every count is bound
 * by the bytes that are left, and nothing is allocated for a number that the file states.
 */
import { open } from 'node:fs/promises';
import { invalid } from '../model/invalid.ts';

export type GgufValue = string | number | bigint | boolean | GgufArray;

/** Arrays are counted, and kept only where their key is asked for: a vocabulary has hundreds of thousands of texts. */
export interface GgufArray {
  readonly length: number;
  readonly values?: readonly GgufValue[];
}

export interface GgufTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** ggml's number of its type. */
  readonly type: number;
  /** From the start of the file. */
  readonly offset: number;
}

export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
  /** Where the tensors begin. */
  readonly dataOffset: number;
}

export const MAGIC = 0x46554747;
export const DEFAULT_ALIGNMENT = 32;
const MAX_DEPTH = 4;
const MAX_RANK = 4;
/** Bytes of the scalar types, by number; 8 is a text, 9 an array. */
const SIZES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8] as const;
const TEXT = 8;
const ARRAY = 9;
/** Largest header that is read: the largest vocabularies take about 20 MiB. */
const MAX_HEADER_BYTES = 256 * 2 ** 20;
const FIRST_BYTES = 2 ** 20;

class Short extends Error {}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** A token may be a byte order mark. */
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #take(count: number): number {
    const start = this.at;
    if (!(count <= this.#bytes.byteLength - start)) throw new Short();
    this.at = start + count;
    return start;
  }

  skip(count: number): void {
    this.#take(count);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A count; one that no file can hold is a corrupt one. */
  count(): number {
    const value = this.#view.getBigUint64(this.#take(8), true);
    if (value > 2n ** 48n)
      throw invalid('The GGUF file is corrupt: a count in its header is impossible');
    return Number(value);
  }

  text(): string {
    const length = this.count();
    if (length > MAX_HEADER_BYTES)
      throw invalid('The GGUF file is corrupt: a text in its header is too long');
    const start = this.#take(length);
    return this.#utf8.decode(this.#bytes.subarray(start, start + length));
  }

  scalar(type: number): GgufValue {
    const size = SIZES[type];
    if (size === undefined)
      throw invalid(`The GGUF file is corrupt: it has values of the unknown type ${type}`);
    const start = this.#take(size);
    const view = this.#view;
    const readers: Record<number, () => GgufValue> = {
      0: () => view.getUint8(start),
      1: () => view.getInt8(start),
      2: () => view.getUint16(start, true),
      3: () => view.getInt16(start, true),
      4: () => view.getUint32(start, true),
      5: () => view.getInt32(start, true),
      6: () => view.getFloat32(start, true),
      7: () => view.getUint8(start) !== 0,
      10: () => view.getBigUint64(start, true),
      11: () => view.getBigInt64(start, true),
      12: () => view.getFloat64(start, true),
    };
    return readers[type]!();
  }

  value(type: number, isKept = false, depth = 0): GgufValue {
    if (type === TEXT) return this.text();
    if (type !== ARRAY) return this.scalar(type);
    if (depth === MAX_DEPTH)
      throw invalid('The GGUF file is corrupt: its arrays are nested too deep');
    const element = this.u32();
    const length = this.count();
    const size = SIZES[element];
    if (size === undefined)
      throw invalid(`The GGUF file is corrupt: it has arrays of the unknown type ${element}`);
    if (size > 0 && !isKept) {
      this.skip(size * length);
      return { length };
    }
    const values: GgufValue[] = [];
    // Each element takes a byte at least, so a wrong length ends at the end of the bytes.
    for (let i = 0; i < length; i++) {
      const value = this.value(element, isKept, depth + 1);
      if (isKept) values.push(value);
    }
    return isKept ? { length, values } : { length };
  }
}

const NO_KEYS: ReadonlySet<string> = new Set();

/**
 * @param kept keys whose arrays are kept.
 * @throws SkeinError LANGUAGE_MODEL_INVALID; `Short`, internally, when the bytes end inside the header.
 */
export function parseGguf(bytes: Uint8Array, kept = NO_KEYS): GgufHeader {
  const reader = new Reader(bytes);
  if (reader.u32() !== MAGIC) throw invalid('The file is not a GGUF file');
  const version = reader.u32();
  if (version !== 2 && version !== 3)
    throw invalid(`The GGUF file has version ${version}; 2 and 3 are supported`);
  const tensorCount = reader.count();
  const pairs = reader.count();
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < pairs; i++) {
    const key = reader.text();
    metadata.set(key, reader.value(reader.u32(), kept.has(key)));
  }
  const tensors: GgufTensor[] = [];
  for (let i = 0; i < tensorCount; i++) {
    const name = reader.text();
    const rank = reader.u32();
    if (rank > MAX_RANK)
      throw invalid(
        `The GGUF file is corrupt: the tensor ${name.slice(0, 100)} has ${rank} dimensions`,
      );
    const shape = Array.from({ length: rank }, () => reader.count());
    tensors.push({ name, shape, type: reader.u32(), offset: reader.count() });
  }
  const stated = metadata.get('general.alignment');
  const alignment = typeof stated === 'number' && stated > 0 ? stated : DEFAULT_ALIGNMENT;
  const dataOffset = Math.ceil(reader.at / alignment) * alignment;
  return {
    version,
    metadata,
    tensors: tensors.map((tensor) => ({ ...tensor, offset: tensor.offset + dataOffset })),
    dataOffset,
  };
}

export interface GgufModel {
  /** The model's family, such as `llama`. */
  readonly architecture: string;
  readonly name: string | undefined;
  readonly context: number | undefined;
  readonly layers: number | undefined;
  readonly hasChatTemplate: boolean;
}

/**
 * Recognises a GGUF file and describes its model.
 * @throws SkeinError LANGUAGE_MODEL_INVALID when it is none, is truncated, or holds no language model.
 */
export async function readGguf(path: string): Promise<GgufModel> {
  const { header, size } = await readGgufHeader(path);
  return describe(header, size);
}

/**
 * @param kept keys whose arrays are kept.
 * @returns also the bytes of the file.
 * @throws SkeinError LANGUAGE_MODEL_INVALID.
 */
export async function readGgufHeader(
  path: string,
  kept = NO_KEYS,
): Promise<{ readonly header: GgufHeader; readonly size: number }> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw invalid(`The file ${path} cannot be read`, cause);
  });
  try {
    const { size } = await file.stat();
    // The file is read in growing parts until the header is whole.
    for (let length = FIRST_BYTES; ; length *= 4) {
      const buffer = Buffer.alloc(Math.min(length, size));
      await file.read(buffer, 0, buffer.length, 0);
      try {
        return { header: parseGguf(buffer, kept), size };
      } catch (error) {
        if (!(error instanceof Short)) throw error;
        if (length >= size || length >= MAX_HEADER_BYTES) {
          throw invalid(`The GGUF file is truncated inside its header, after ${size} bytes`);
        }
      }
    }
  } finally {
    await file.close();
  }
}

function describe({ metadata, tensors, dataOffset }: GgufHeader, size: number): GgufModel {
  const architecture = metadata.get('general.architecture');
  if (typeof architecture !== 'string')
    throw invalid('The GGUF file does not state its architecture');
  if (tensors.length === 0)
    throw invalid('The GGUF file holds no weights: it may be a vocabulary alone');
  const last = tensors.reduce((most, { offset }) => Math.max(most, offset), dataOffset);
  if (last >= size)
    throw invalid(
      `The GGUF file is truncated: ${size} bytes, and its last tensor begins at ${last}`,
    );
  const numberAt = (key: string): number | undefined => {
    const value = metadata.get(key);
    return typeof value === 'number' ? value : undefined;
  };
  const layers = numberAt(`${architecture}.block_count`);
  if (layers === undefined)
    throw invalid(`The GGUF file of architecture ${architecture} is not a language model`);
  const name = metadata.get('general.name');
  const template = metadata.get('tokenizer.chat_template');
  return {
    architecture,
    name: typeof name === 'string' ? name : undefined,
    context: numberAt(`${architecture}.context_length`),
    layers,
    hasChatTemplate: typeof template === 'string' && template !== '',
  };
}

/** Whether the error is about bytes that ended too early; for tests that mutate headers. */
export const isShort = (error: unknown): boolean => error instanceof Short;
