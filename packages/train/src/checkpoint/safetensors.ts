/**
 * Named tensors with short texts as metadata in one file, in the safetensors format: eight bytes with the
 * length of a JSON header, the header, then the bytes of the tensors. Other tools read the format, and
 * reading it executes nothing.
 *
 * The header contains a digest of the tensors' bytes, because training must not continue from a
 * truncated or corrupted file.
 *
 * Follows the format as documented by Hugging Face, safetensors 0.5.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { elementCount, elementSize, type NumericTensor, type NumericType } from '@skein/onnx';
import type { Tensors } from '../run/backend.ts';
import { dataError, TrainError } from '../train-error.ts';

const CODES: Readonly<Record<NumericType, string>> = {
  bool: 'BOOL',
  uint8: 'U8',
  int8: 'I8',
  int16: 'I16',
  uint16: 'U16',
  float16: 'F16',
  bfloat16: 'BF16',
  int32: 'I32',
  uint32: 'U32',
  float32: 'F32',
  float64: 'F64',
  int64: 'I64',
  uint64: 'U64',
};

export interface TensorFile {
  readonly tensors: Tensors;
  readonly metadata: Readonly<Record<string, string>>;
}

export async function writeTensors({ tensors, metadata }: TensorFile): Promise<Uint8Array> {
  let end = 0;
  const layout = [...tensors].map(([name, { type, shape, bytes }]) => {
    const start = end;
    end += bytes.byteLength;
    return [name, { dtype: CODES[type], shape, data_offsets: [start, end] }] as const;
  });
  const data = new Uint8Array(end);
  let at = 0;
  for (const { bytes } of tensors.values()) {
    data.set(bytes, at);
    at += bytes.byteLength;
  }
  const __metadata__ = { ...metadata, sha256: await digest(data) };
  const json = new TextEncoder().encode(
    JSON.stringify({ __metadata__, ...Object.fromEntries(layout) }),
  );
  // Spaces pad the header, so the tensors begin at a multiple of eight.
  const header = new Uint8Array(Math.ceil(json.byteLength / 8) * 8).fill(0x20);
  header.set(json);
  const file = new Uint8Array(8 + header.byteLength + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.byteLength), true);
  file.set(header, 8);
  file.set(data, 8 + header.byteLength);
  return file;
}

/**
 * Reads a file of `writeTensors`; the tensors are views of its bytes.
 * @throws TrainError `checkpoint` when the file is damaged or of another format.
 */
export async function readTensors(bytes: Uint8Array): Promise<TensorFile> {
  let file: TensorFile & { readonly data: Uint8Array };
  try {
    file = tensorsIn(bytes);
  } catch (error) {
    throw damaged(error);
  }
  const { sha256, ...metadata } = file.metadata;
  if (sha256 !== (await digest(file.data))) throw damaged();
  return { tensors: file.tensors, metadata };
}

/**
 * Reads a file that any program wrote; the tensors are views of its bytes.
 * @throws TrainError `data` for a damaged file, or for a type that tensors here do not have.
 */
export function readSafetensors(bytes: Uint8Array): TensorFile {
  const { tensors, metadata } = tensorsIn(bytes);
  return { tensors, metadata };
}

function tensorsIn(bytes: Uint8Array): TensorFile & { readonly data: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.byteLength < 8 ? Infinity : Number(view.getBigUint64(0, true));
  if (8 + length > bytes.byteLength) {
    throw dataError('The file is cut off, or not in the safetensors format.');
  }
  const data = bytes.subarray(8 + length);
  let header: unknown;
  try {
    header = readJson(bytes.subarray(8, 8 + length), JSON_BOUNDS.stored);
  } catch (cause) {
    throw dataError('The header of the file is not JSON.', { cause });
  }
  if (!isObject(header)) throw dataError('The header of the file is not a list of tensors.');
  const { __metadata__: metadata = {}, ...entries } = header;
  if (!isMetadata(metadata)) throw dataError('The metadata of the file are not texts.');
  const tensors = new Map<string, NumericTensor>();
  const places: [start: number, end: number][] = [];
  for (const [name, entry] of Object.entries(entries)) {
    const what = `The tensor ${JSON.stringify(name)}`;
    if (!isEntry(entry)) throw dataError(`${what} has no type, shape and place.`);
    const { dtype, shape } = entry;
    const [start, end] = entry.data_offsets;
    const type = (Object.keys(CODES) as NumericType[]).find((each) => CODES[each] === dtype);
    if (type === undefined) {
      const known = Object.values(CODES).join(', ');
      throw dataError(`${what} has the type ${JSON.stringify(dtype)}; known are ${known}.`);
    }
    const size = elementCount(shape) * elementSize(type);
    if (end - start !== size) {
      throw dataError(`${what} takes ${size} bytes; the header gives it ${end - start}.`);
    }
    if (end > data.byteLength) throw dataError(`${what} ends outside of the file.`);
    places.push([start, end]);
    tensors.set(name, { type, shape, bytes: data.subarray(start, end) });
  }
  requireAdjacent(places, data.byteLength);
  return { tensors, metadata, data };
}

/** The format allows no gap, which could hide other content, and no overlap. @throws TrainError `data`. */
function requireAdjacent(places: [start: number, end: number][], size: number): void {
  let next = 0;
  for (const [start, end] of places.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (start !== next) {
      const what = start < next ? 'Two tensors share bytes' : 'Bytes belong to no tensor';
      throw dataError(`${what} at ${Math.min(start, next)} after the header.`);
    }
    next = end;
  }
  if (next !== size) throw dataError(`The last ${size - next} bytes belong to no tensor.`);
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [start: number, end: number];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isMetadata(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((each) => typeof each === 'string');
}

function isEntry(value: unknown): value is Entry {
  if (!isObject(value)) return false;
  const { dtype, shape, data_offsets: offsets } = value;
  return typeof dtype === 'string' && areSizes(shape) && areSizes(offsets) && offsets.length === 2;
}

function areSizes(value: unknown): value is readonly number[] {
  return (
    Array.isArray(value) &&
    value.every((each) => Number.isSafeInteger(each) && (each as number) >= 0)
  );
}

async function digest(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function damaged(cause?: unknown): TrainError {
  return new TrainError('checkpoint', 'The checkpoint is damaged or cut off.', { cause });
}
