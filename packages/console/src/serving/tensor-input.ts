/** Converts typed text to a tensor, and to the commands that send the same tensor. */
import type { DeploymentView } from '@skein/api';
import { datatypeOf } from '@skein/api/client';
import { numbersOf, parseExactJson, tensorOfNumbers } from '@skein/onnx/numbers';
import {
  ELEMENT_TYPES,
  tensor,
  values as arrayOf,
  type ElementType,
  type NumericArray,
  type NumericType,
} from '@skein/onnx/tensor';

/** A tensor as the playground makes it. */
export interface TypedTensor {
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** 16-bit floats as their bits. */
  readonly data: readonly (string | Uint8Array)[] | NumericArray;
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
/** Characters of one argument of a command: Linux takes 128 KiB. */
const MOST_ARGUMENT = 100_000;

const NAMES_OF_FILES = /image|picture|photo|audio|sound|recording|video|file|document|pdf/i;

/** Element types that the playground can send. */
export function canSend({ type }: Spec): boolean {
  return ELEMENT_TYPES.some((known) => known === type);
}

/**
 * The initial state of an input: free sizes are 1, and zeros when there are too many elements to
 * type. A text by the name of a picture or a recording is an encoded file.
 */
export function initialInput({ name, type, shape }: Spec): TypedInput {
  const sizes = shape.map((size) => (typeof size === 'number' ? size : 1));
  const count = sizes.reduce((product, size) => product * size, 1);
  const zero = type === 'string' ? 'text' : type === 'bool' ? false : 0;
  const isTyped = count <= TYPED_ELEMENTS;
  const isFile = type === 'string' && count === 1 && NAMES_OF_FILES.test(name);
  return {
    shape: sizes.join(', '),
    fill: isFile ? 'file' : isTyped || type === 'string' ? 'values' : 'zeros',
    values: isTyped ? JSON.stringify(Array.from({ length: count }, () => zero)) : '[]',
  };
}

/** @throws Error that names the invalid part of the input. */
export function tensorOf(spec: Spec, { shape, fill, values, file }: TypedInput): TypedTensor {
  const { name } = spec;
  const type = spec.type as ElementType;
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
      : Array.from({ length: count }, () => (fill === 'zeros' ? 0 : random(type)));
  const data =
    type === 'string' ? elements.map(String) : arrayOf(numericTensor(name, type, sizes, elements));
  return { type, shape: sizes, data };
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
    parsed = parseExactJson(values);
  } catch (error) {
    throw new Error(`${name}: the values are not JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const elements = Array.isArray(parsed) ? (parsed.flat(Infinity) as unknown[]) : [parsed];
  if (elements.length === count) return elements;
  throw new Error(`${name}: the shape has ${count} elements, and ${elements.length} were given.`);
}

const isInteger = (type: ElementType): boolean => /^u?int/.test(type);

/** From 0 to 1: one of both where the type has nothing between them. */
function random(type: ElementType): number {
  return isInteger(type) || type === 'bool' ? Math.round(Math.random()) : Math.random();
}

function numericTensor(
  name: string,
  type: NumericType,
  shape: readonly number[],
  elements: readonly unknown[],
) {
  const numbers = elements.map((element) => {
    const number = Number(element);
    const isBlank = typeof element === 'string' && element.trim() === '';
    if (element === null || isBlank || !Number.isFinite(number)) {
      throw new Error(`${name}: ${shown(element)} is not a number.`);
    }
    if (type === 'bool') return number === 0 ? 0 : 1;
    if (!isInteger(type)) return number;
    if (typeof element === 'bigint') return element;
    if (Number.isInteger(number)) return number;
    throw new Error(`${name}: ${shown(element)} is not a whole number.`);
  });
  const made = madeOf(name, type, shape, numbers);
  const unfit = numbersOf(made).findIndex((held) => Math.abs(Number(held)) === Infinity);
  if (unfit === -1) return made;
  throw new Error(`${name}: ${numbers[unfit]} does not fit ${type}.`);
}

function madeOf(
  name: string,
  type: NumericType,
  shape: readonly number[],
  numbers: readonly (number | bigint)[],
) {
  try {
    return tensorOfNumbers(type, shape, numbers);
  } catch (error) {
    if (error instanceof RangeError) throw new Error(`${name}: ${error.message}`, { cause: error });
    throw error;
  }
}

function shown(element: unknown): string {
  return ['bigint', 'number'].includes(typeof element) ? String(element) : JSON.stringify(element);
}

export interface Sent {
  readonly spec: Spec;
  readonly tensor: TypedTensor;
  readonly fill: Fill;
  readonly file?: GivenFile | undefined;
}

export interface Called {
  readonly origin: string;
  readonly deployment: string;
  /** Whether the node asks for a key: the code takes it from the environment, and never shows it. */
  readonly needsKey: boolean;
}

/** A text inside single quotes of a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * The `curl` line that sends the same tensor; zeros when the page generated the values. A file is
 * read again, from the folder in which the line is run.
 */
export function curlOf({ origin, deployment, needsKey }: Called, inputs: readonly Sent[]): string {
  const address = quoted(`${origin}/v2/models/${encodeURIComponent(deployment)}/infer`);
  const url = needsKey ? `${address} -H "Authorization: Bearer $SKEIN_KEY"` : address;
  const [first] = inputs;
  if (inputs.length === 1 && first?.file !== undefined) {
    return `curl -s ${url} -H 'inference-header-content-length: 0' -H 'accept: application/json' --data-binary ${quoted(`@${first.file.name}`)}`;
  }
  const isBinary = ({ fill }: Sent): boolean => fill !== 'values';
  const binary = inputs.filter(isBinary);
  const described = inputs.map((sent) => {
    const { type, shape } = sent.tensor;
    const head = JSON.stringify({ name: sent.spec.name, shape, datatype: datatypeOf(type) });
    const content = isBinary(sent)
      ? `"parameters":{"binary_data_size":${sizeOf(sent)}}`
      : `"data":[${jsonElements(sent.tensor).join(',')}]`;
    return `${head.slice(0, -1)},${content}}`;
  });
  const parameters = binary.length > 0 ? ',"parameters":{"binary_data_output":false}' : '';
  const header = `{"inputs":[${described.join(',')}]${parameters}}`;
  if (binary.length === 0 && header.length > MOST_ARGUMENT) {
    return `printf %s ${quoted(header)} | curl -s ${url} -H 'content-type: application/json' --data-binary @-`;
  }
  if (binary.length === 0) {
    return `curl -s ${url} -H 'content-type: application/json' -d ${quoted(header)}`;
  }
  const body = [`printf %s ${quoted(header)}`, ...binary.map(bytesOf)].join('; ');
  return `{ ${body}; } | curl -s ${url} -H 'inference-header-content-length: ${new TextEncoder().encode(header).length}' --data-binary @-`;
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
export function typeScriptOf(
  { origin, deployment, needsKey }: Called,
  inputs: readonly Sent[],
): string {
  const fields = inputs.map(({ spec, tensor, fill, file }) => {
    const data =
      file === undefined
        ? dataSource(tensor, fill)
        : `[await readFile(${JSON.stringify(file.name)})]`;
    const type = AMBIGUOUS.has(spec.type) ? `type: '${spec.type}', ` : '';
    const shape = JSON.stringify(tensor.shape).replaceAll(',', ', ');
    return `  ${JSON.stringify(spec.name)}: { ${type}shape: ${shape}, data: ${data} },`;
  });
  const readsFile = inputs.some(({ file }) => file !== undefined);
  return [
    ...(readsFile ? [`import { readFile } from 'node:fs/promises';`] : []),
    `import { createClient } from '@skein/api/client';`,
    '',
    `const client = createClient({ url: ${JSON.stringify(origin)}${needsKey ? ', key: process.env.SKEIN_KEY' : ''} });`,
    `const { outputs } = await client.infer(${JSON.stringify(deployment)}, {`,
    ...fields,
    '});',
    'console.log(outputs);',
  ].join('\n');
}

/** Element types that the class of an array does not determine. */
const AMBIGUOUS: ReadonlySet<string> = new Set(['bool', 'float16', 'bfloat16']);

function dataSource({ type, shape, data }: TypedTensor, fill: Fill): string {
  if (type === 'string') return JSON.stringify(data);
  const { name } = data.constructor;
  if (fill !== 'values') return `new ${name}(${data.length})`;
  const halves = type === 'float16';
  const numbers = halves ? numbersIn(type, shape, data) : (data as NumericArray);
  const digits = Array.from(numbers, (value) =>
    typeof value === 'bigint' ? `${value}n` : String(value),
  ).join(', ');
  return halves ? `new Uint16Array(Float16Array.of(${digits}).buffer)` : `${name}.of(${digits})`;
}

/** Each as JSON, which `JSON.stringify` has not for a bigint. */
function jsonElements({ type, shape, data }: TypedTensor): string[] {
  if (type === 'string') return (data as readonly string[]).map((text) => JSON.stringify(text));
  const numbers = numbersIn(type, shape, data);
  return Array.from(numbers, (number) => String(type === 'bool' ? Boolean(number) : number));
}

/** The elements as numbers, 16-bit floats too. */
export function numbersIn(
  type: NumericType,
  shape: readonly number[],
  data: TypedTensor['data'],
): ArrayLike<number | bigint> {
  return numbersOf(tensor(type, shape, data as NumericArray));
}
