/**
 * Tensors as a caller of the client sees them, and their encoding: a JSON header, then the raw
 * bytes of every tensor, one after another (the binary tensor data extension of the Open Inference
 * Protocol). A request costs one copy, into the body; an answer costs none when its tensors are
 * aligned.
 */
import type { ArrayOf, ElementType, NumericArray, NumericType, Tensor } from '@skein/onnx/tensor';
import { arrayClass, datatypeOf, elementTypeOf } from '../datatype.ts';
import { SkeinError } from '../errors.ts';

/** Element types that share an array class with another type. */
type Ambiguous = 'float16' | 'bfloat16' | 'bool';

/** A tensor to send. `type` may be left out when the class of `data` determines it. */
export type InputOf<T extends ElementType> = T extends Ambiguous
  ? { readonly type: T; readonly shape: readonly number[]; readonly data: ArrayOf[T] }
  : T extends NumericType
    ? { readonly type?: T; readonly shape: readonly number[]; readonly data: ArrayOf[T] }
    : {
        readonly type?: 'string';
        readonly shape: readonly number[];
        readonly data: readonly (string | Uint8Array)[];
      };

/** Any tensor to send: a typed array with its shape, or a tensor of `@skein/onnx`. */
export type InputTensor = { [T in ElementType]: InputOf<T> }[ElementType] | Tensor;

/** A tensor of an answer. Strings are bytes; `texts()` decodes them as UTF-8. */
export type OutputOf<T extends ElementType> = T extends NumericType
  ? { readonly type: T; readonly shape: readonly number[]; readonly data: ArrayOf[T] }
  : {
      readonly type: 'string';
      readonly shape: readonly number[];
      readonly data: readonly Uint8Array[];
    };

export type OutputTensor = { [T in ElementType]: OutputOf<T> }[ElementType];

/** The elements of a string tensor, as text; a byte order mark is a part of it. */
export function texts(output: OutputOf<'string'>): string[] {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return output.data.map((element) => decoder.decode(element));
}

const TYPES_BY_CLASS: Readonly<Record<string, NumericType>> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Float16Array: 'float16',
  Int8Array: 'int8',
  Int16Array: 'int16',
  Int32Array: 'int32',
  BigInt64Array: 'int64',
  Uint8Array: 'uint8',
  Uint8ClampedArray: 'uint8',
  // Node's Buffer is a Uint8Array by another name.
  Buffer: 'uint8',
  Uint16Array: 'uint16',
  Uint32Array: 'uint32',
  BigUint64Array: 'uint64',
};

interface Part {
  readonly type: ElementType;
  readonly byteLength: number;
  write(target: Uint8Array, offset: number): void;
}

const encoder = new TextEncoder();

/** One element of a BYTES tensor is its length in four little-endian bytes, then itself. */
function stringPart(elements: readonly (string | Uint8Array)[]): Part & { count: number } {
  const encoded = elements.map((element) =>
    typeof element === 'string' ? encoder.encode(element) : element,
  );
  const byteLength = encoded.reduce((sum, element) => sum + 4 + element.byteLength, 0);
  return {
    type: 'string',
    count: encoded.length,
    byteLength,
    write(target, offset) {
      const view = new DataView(target.buffer, target.byteOffset);
      for (const element of encoded) {
        view.setUint32(offset, element.byteLength, true);
        target.set(element, offset + 4);
        offset += 4 + element.byteLength;
      }
    },
  };
}

function numericPart(type: NumericType, array: NumericArray): Part {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return {
    type,
    byteLength: bytes.byteLength,
    write: (target, offset) => target.set(bytes, offset),
  };
}

function partOf(name: string, input: InputTensor): Part {
  const count = input.shape.reduce((product, size) => product * size, 1);
  const fail = (given: string): never => {
    throw new SkeinError(
      'INPUT_DATA',
      `Input "${name}" of shape [${input.shape.join(', ')}] takes ${count} elements, but ${given}.`,
    );
  };
  if ('elements' in input || ('data' in input && Array.isArray(input.data))) {
    const part = stringPart(
      'elements' in input ? input.elements : (input.data as readonly (string | Uint8Array)[]),
    );
    if (part.count !== count) fail(`${part.count} were given`);
    return part;
  }
  const array = 'bytes' in input ? input.bytes : (input.data as NumericArray);
  const own = TYPES_BY_CLASS[array?.constructor?.name ?? ''];
  const type = input.type ?? own;
  if (own === undefined || type === undefined || type === 'string') {
    throw new SkeinError(
      'INPUT_DATATYPE',
      `Input "${name}" needs a typed array, or an array of strings or byte strings, as its data.`,
    );
  }
  const size = arrayClass(type).BYTES_PER_ELEMENT;
  if (!('bytes' in input) && array.BYTES_PER_ELEMENT !== size) {
    throw new SkeinError(
      'INPUT_DATATYPE',
      `Input "${name}" has the type ${type}, but its data are a ${array.constructor.name}.`,
    );
  }
  if (array.byteLength !== count * size) fail(`${array.byteLength / size} were given`);
  return numericPart(type, array);
}

/** Settings of a request for its answer. */
export interface AskedOutputs {
  /** 1 is the most urgent; absent means the middle level. */
  readonly priority?: number | undefined;
  /** Outputs to return; all when absent. */
  readonly outputs?: readonly string[] | undefined;
  /** Adds an output `NAME.class` to each output that scores the classes of the model. */
  readonly classNames?: boolean | undefined;
}

export interface EncodedRequest {
  readonly body: Uint8Array<ArrayBuffer>;
  /** Bytes of the JSON part, for Inference-Header-Content-Length. */
  readonly headerLength: number;
}

/**
 * @throws SkeinError INPUT_DATA, INPUT_DATATYPE.
 */
export function encodeRequest(
  inputs: Readonly<Record<string, InputTensor>>,
  { outputs, priority, classNames }: AskedOutputs = {},
): EncodedRequest {
  const parts = Object.entries(inputs).map(([name, input]) => ({
    name,
    shape: input.shape,
    part: partOf(name, input),
  }));
  const header = encoder.encode(
    JSON.stringify({
      parameters: { binary_data_output: true, priority, class_names: classNames },
      inputs: parts.map(({ name, shape, part }) => ({
        name,
        shape,
        datatype: datatypeOf(part.type),
        parameters: { binary_data_size: part.byteLength },
      })),
      outputs: outputs?.map((name) => ({ name, parameters: { binary_data: true } })),
    }),
  );
  let offset = header.byteLength;
  const body = new Uint8Array(
    parts.reduce((sum, { part }) => sum + part.byteLength, header.byteLength),
  );
  body.set(header, 0);
  for (const { part } of parts) {
    part.write(body, offset);
    offset += part.byteLength;
  }
  return { body, headerLength: header.byteLength };
}

interface AnswerHeader {
  readonly model_name: string;
  readonly model_version?: string;
  readonly id?: string;
  readonly outputs: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: number[];
    readonly parameters?: { readonly binary_data_size?: number };
    readonly data?: unknown;
  }[];
}

function readStrings(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.byteLength;) {
    const start = offset + 4;
    offset = start + view.getUint32(offset, true);
    if (offset > bytes.byteLength) throw new RangeError('a string reaches past its tensor');
    elements.push(bytes.subarray(start, offset));
  }
  return elements;
}

function fromBytes(type: ElementType, shape: number[], bytes: Uint8Array): OutputTensor {
  if (type === 'string') return { type, shape, data: readStrings(bytes) };
  const Class = arrayClass(type);
  const aligned = bytes.byteOffset % Class.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  const data = new Class(
    aligned.buffer,
    aligned.byteOffset,
    aligned.byteLength / Class.BYTES_PER_ELEMENT,
  );
  return { type, shape, data } as OutputTensor;
}

/** Values of the JSON form: nested or flat arrays. */
function fromJson(type: ElementType, shape: number[], data: unknown): OutputTensor {
  const flat = (Array.isArray(data) ? data.flat(Infinity) : [data]) as unknown[];
  if (type === 'string') return { type, shape, data: flat.map((v) => encoder.encode(String(v))) };
  if (type === 'float16' || type === 'bfloat16') {
    throw new RangeError(`${type} came as JSON, which cannot hold it`);
  }
  const wide = type === 'int64' || type === 'uint64';
  const numbers = flat.map((value) => (wide ? BigInt(value as number) : Number(value)));
  return { type, shape, data: arrayClass(type).from(numbers as never[]) } as OutputTensor;
}

export interface DecodedAnswer {
  readonly model: string;
  readonly version: string | undefined;
  readonly id: string | undefined;
  readonly outputs: Record<string, OutputTensor>;
}

/**
 * @param headerLength bytes of the JSON part; absent when all of the body is JSON.
 * @throws SkeinError INTERNAL when the answer is invalid.
 */
export function decodeAnswer(body: ArrayBuffer, headerLength: number | undefined): DecodedAnswer {
  try {
    const end = headerLength ?? body.byteLength;
    const header = JSON.parse(
      new TextDecoder().decode(new Uint8Array(body, 0, end)),
    ) as AnswerHeader;
    const outputs: Record<string, OutputTensor> = {};
    let offset = end;
    for (const { name, datatype, shape, parameters, data } of header.outputs) {
      const type = elementTypeOf(datatype);
      if (type === undefined) throw new RangeError(`datatype "${datatype}" is unknown`);
      const size = parameters?.binary_data_size;
      if (size === undefined) {
        outputs[name] = fromJson(type, shape, data);
      } else {
        outputs[name] = fromBytes(type, shape, new Uint8Array(body, offset, size));
        offset += size;
      }
    }
    return { model: header.model_name, version: header.model_version, id: header.id, outputs };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SkeinError('INTERNAL', `The answer of the node cannot be read: ${reason}.`, {
      cause: error,
    });
  }
}
