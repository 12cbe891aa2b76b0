/**
 * The document that `python/script.py` writes of an estimator: `SKLEARN1`, the length of a JSON header, the header,
 * and the arrays that it refers to as `{"array": kind, "at": offset, "length": count}`. A pickle can write any
 * bytes in its place.
 */
import { invalidModel } from '../../onnx-error.ts';
import { readJsonDocument } from '../format/json.ts';
import { Place, type Numbers, type Value } from '../format/value.ts';

const MAGIC = 'SKLEARN1';
const HEAD_BYTES = 16;
const KINDS = {
  f8: { size: 8, class: Float64Array },
  i4: { size: 4, class: Int32Array },
  u1: { size: 1, class: Uint8Array },
} as const;

/** The header, with its arrays in their places. @throws OnnxError `invalid`. */
export function readDocument(bytes: Uint8Array): Place {
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
  if (magic !== MAGIC || bytes.length < HEAD_BYTES) throw damaged('it does not begin as one');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(MAGIC.length, true);
  if (length > BigInt(bytes.length - HEAD_BYTES)) throw damaged('its header is longer than itself');
  const end = HEAD_BYTES + Number(length);
  const header = readJsonDocument(bytes.subarray(HEAD_BYTES, end));
  const data = bytes.subarray(end);
  return new Place(withArrays(header, { data, left: data.length }), 'model');
}

interface Arrays {
  readonly data: Uint8Array;
  /** Bytes that arrays may still take: many references to one array would multiply it. */
  left: number;
}

function withArrays(value: Value, arrays: Arrays): Value {
  if (value instanceof Map) {
    if (value.has('array')) return arrayOf(new Place(value, 'array'), arrays);
    return new Map([...value].map(([key, each]) => [key, withArrays(each, arrays)]));
  }
  return Array.isArray(value) ? value.map((each: Value) => withArrays(each, arrays)) : value;
}

function arrayOf(place: Place, arrays: Arrays): Numbers {
  const { data } = arrays;
  const name = place.at('array').text();
  if (!Object.hasOwn(KINDS, name)) throw damaged(`it has an array of the kind "${name}"`);
  const kind = KINDS[name as keyof typeof KINDS];
  const at = place.at('at').count(data.length);
  const length = place.at('length').count(Math.floor((data.length - at) / kind.size));
  arrays.left -= length * kind.size;
  if (arrays.left < 0) throw damaged('its arrays overlap');
  // A copy, which begins at a multiple of the size of a number: slice() of a Buffer is no copy.
  const part = new Uint8Array(data.subarray(at, at + length * kind.size));
  return new kind.class(part.buffer, part.byteOffset, length);
}

const damaged = (why: string): Error =>
  invalidModel(`The description of the model is damaged: ${why}.`);
