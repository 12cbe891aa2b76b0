/** Converts typed text to a tensor, and to the commands that send the same tensor. */
import type { DeploymentView } from '@skein/api';

/** A tensor as the playground makes it. */
export interface TypedTensor {
  readonly type: string;
  readonly shape: readonly number[];
  readonly data:
    | readonly (string | Uint8Array)[]
    | (Exclude<ArrayBufferView, DataView> & ArrayLike<number | bigint>);
}

export type Spec = DeploymentView['signature']['inputs'][number];

/**
 * `values`: as typed. `zeros`, `random`: generated, for inputs that are too large to type. `file`: the
 * bytes of a file, as the one element of an input of strings.
 */
export type Fill = 'values' | 'zeros' | 'random' | 'file';

export interface GivenFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface TypedInput {
  /** Sizes with commas, such as `1, 3, 224, 224`. */
  readonly shape: string;
  readonly fill: Fill;
  /** JSON: numbers, booleans or texts, nested or in one list. */
  readonly values: string;
  /** Present when the input is filled with it. */
  readonly file?: GivenFile | undefined;
}

/** Elements that a person can read. */
const TYPED_ELEMENTS = 64;
/** Elements that a page sends; larger inputs are for programs. */
const MOST_ELEMENTS = 2 ** 24;

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
} as const;

const WIDE = { int64: BigInt64Array, uint64: BigUint64Array } as const;

/** Element types that the playground can send. */
export function canSend({ type }: Spec): boolean {
  return type in ARRAYS || type in WIDE || type === 'bool' || type === 'string';
}

/**
 * The initial state of an input: free sizes are 1, and zeros when there are too many elements to
 * type.
 */
export function initialInput({ type, shape }: Spec): TypedInput {
  const sizes = shape.map((size) => (typeof size === 'number' ? size : 1));
  const count = sizes.reduce((product, size) => product * size, 1);
  const zero = type === 'string' ? 'text' : type === 'bool' ? false : 0;
  const isTyped = count <= TYPED_ELEMENTS;
  return {
    shape: sizes.join(', '),
    fill: isTyped || type === 'string' ? 'values' : 'zeros',
    values: isTyped ? JSON.stringify(Array.from({ length: count }, () => zero)) : '[]',
  };
}

/** @throws Error that names the invalid part of the input. */
export function tensorOf(
  { name, type }: Spec,
  { shape, fill, values, file }: TypedInput,
): TypedTensor {
  const sizes = sizesOf(name, shape);
  const count = sizes.reduce((product, size) => product * size, 1);
  if (count > MOST_ELEMENTS) {
    throw new Error(`${name}: ${count} elements are more than a page sends (${MOST_ELEMENTS}).`);
  }
  if (fill === 'file') {
    if (file === undefined) throw new Error(`${name}: no file is chosen.`);
    if (count === 1) return { type, shape: sizes, data: [file.bytes] };
    throw new Error(`${name}: a file is one element, and the shape has ${count}.`);
  }
  const elements =
    fill === 'values'
      ? typedElements(name, values, count)
      : Array.from({ length: count }, () => (fill === 'zeros' ? 0 : Math.random()));
  return { type, shape: sizes, data: arrayOf(name, type, elements) };
}

function sizesOf(name: string, shape: string): number[] {
  if (shape.trim() === '') return [];
  return shape.split(',').map((text) => {
    const size = Number(text);
    if (text.trim() !== '' && Number.isInteger(size) && size >= 0) return size;
    throw new Error(`${name}: the shape has "${text.trim()}", which is not a size.`);
  });
}

function typedElements(name: string, values: string, count: number): unknown[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(values);
  } catch (error) {
    throw new Error(`${name}: the values are not JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const elements = Array.isArray(parsed) ? (parsed.flat(Infinity) as unknown[]) : [parsed];
  if (elements.length === count) return elements;
  throw new Error(`${name}: the shape has ${count} elements, and ${elements.length} were given.`);
}

function arrayOf(name: string, type: string, elements: readonly unknown[]): TypedTensor['data'] {
  if (type === 'string') return elements.map(String);
  const wrong = elements.find((element) => !Number.isFinite(Number(element)) || element === null);
  if (wrong !== undefined) throw new Error(`${name}: ${JSON.stringify(wrong)} is not a number.`);
  if (type === 'bool') return Uint8Array.from(elements, (element) => (Number(element) ? 1 : 0));
  if (type in WIDE) {
    const array = WIDE[type as keyof typeof WIDE];
    return array.from(elements.map((element) => BigInt(Math.trunc(Number(element)))) as never);
  }
  return ARRAYS[type as keyof typeof ARRAYS].from(elements.map(Number));
}

export interface Sent {
  readonly spec: Spec;
  readonly tensor: TypedTensor;
  readonly fill: Fill;
  readonly file?: GivenFile | undefined;
}

const DATATYPES: Readonly<Record<string, string>> = {
  string: 'BYTES',
  float32: 'FP32',
  float64: 'FP64',
};

const datatypeOf = (type: string): string => DATATYPES[type] ?? type.toUpperCase();

/** A text inside single quotes of a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * The `curl` line that sends the same tensor; zeros when the page generated the values. A file is
 * read again, from the folder in which the line is run.
 */
export function curlOf(origin: string, deployment: string, inputs: readonly Sent[]): string {
  const url = `${origin}/v2/models/${encodeURIComponent(deployment)}/infer`;
  const [first] = inputs;
  if (inputs.length === 1 && first?.file !== undefined) {
    return `curl -s ${quoted(url)} -H 'inference-header-content-length: 0' -H 'accept: application/json' --data-binary ${quoted(`@${first.file.name}`)}`;
  }
  const isBinary = ({ fill }: Sent): boolean => fill !== 'values';
  const binary = inputs.filter(isBinary);
  const header = JSON.stringify({
    inputs: inputs.map((sent) => ({
      name: sent.spec.name,
      shape: sent.tensor.shape,
      datatype: datatypeOf(sent.spec.type),
      ...(isBinary(sent)
        ? { parameters: { binary_data_size: sizeOf(sent) } }
        : { data: jsonData(sent.spec.type, sent.tensor) }),
    })),
    ...(binary.length > 0 ? { parameters: { binary_data_output: false } } : {}),
  });
  if (binary.length === 0) {
    return `curl -s ${quoted(url)} -H 'content-type: application/json' -d ${quoted(header)}`;
  }
  const body = [`printf %s ${quoted(header)}`, ...binary.map(bytesOf)].join('; ');
  return `{ ${body}; } | curl -s ${quoted(url)} -H 'inference-header-content-length: ${new TextEncoder().encode(header).length}' --data-binary @-`;
}

/** Bytes of an input in the binary extension of the protocol: an element of strings follows its length. */
function sizeOf({ tensor, file }: Sent): number {
  return file === undefined ? (tensor.data as Uint8Array).byteLength : 4 + file.bytes.byteLength;
}

/** The shell command that writes the bytes of an input. */
function bytesOf(sent: Sent): string {
  const { file } = sent;
  if (file === undefined) return `head -c ${sizeOf(sent)} /dev/zero`;
  const size = file.bytes.byteLength;
  const length = [size, size >>> 8, size >>> 16, size >>> 24].map(
    (byte) => `\\${(byte & 255).toString(8).padStart(3, '0')}`,
  );
  return `printf '${length.join('')}'; cat ${quoted(`./${file.name}`)}`;
}

/** The TypeScript that sends the same. */
export function typeScriptOf(origin: string, deployment: string, inputs: readonly Sent[]): string {
  const fields = inputs.map(({ spec, tensor, fill, file }) => {
    const data =
      file === undefined
        ? dataSource(spec.type, tensor, fill)
        : `[await readFile(${JSON.stringify(file.name)})]`;
    const type = spec.type === 'bool' ? `type: 'bool', ` : '';
    const shape = JSON.stringify(tensor.shape).replaceAll(',', ', ');
    return `  ${JSON.stringify(spec.name)}: { ${type}shape: ${shape}, data: ${data} },`;
  });
  const readsFile = inputs.some(({ file }) => file !== undefined);
  return [
    ...(readsFile ? [`import { readFile } from 'node:fs/promises';`] : []),
    `import { createClient } from '@skein/api/client';`,
    '',
    `const client = createClient({ url: ${JSON.stringify(origin)} });`,
    `const { outputs } = await client.infer(${JSON.stringify(deployment)}, {`,
    ...fields,
    '});',
    'console.log(outputs);',
  ].join('\n');
}

function dataSource(type: string, tensor: TypedTensor, fill: Fill): string {
  if (type === 'string') return JSON.stringify(tensor.data);
  const { name } = tensor.data.constructor;
  if (fill !== 'values') return `new ${name}(${tensor.data.length})`;
  const digits = Array.from(tensor.data as ArrayLike<number | bigint>, (value) =>
    typeof value === 'bigint' ? `${value}n` : String(value),
  );
  return `${name}.of(${digits.join(', ')})`;
}

function jsonData(type: string, { data }: TypedTensor): unknown[] {
  if (type === 'bool') return Array.from(data as Uint8Array, Boolean);
  if (type === 'string') return [...(data as readonly string[])];
  return Array.from(data as ArrayLike<number | bigint>, Number);
}
