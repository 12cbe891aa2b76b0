/** Converts typed text to a tensor, and to the commands that send the same tensor. */
import type { DeploymentView } from '@skein/api';

/** A tensor as the playground makes it. */
export interface TypedTensor {
  readonly type: string;
  readonly shape: readonly number[];
  readonly data:
    | readonly string[]
    | (Exclude<ArrayBufferView, DataView> & ArrayLike<number | bigint>);
}

export type Spec = DeploymentView['signature']['inputs'][number];

/** `values`: as typed. `zeros`, `random`: generated, for inputs that are too large to type. */
export type Fill = 'values' | 'zeros' | 'random';

export interface TypedInput {
  /** Sizes with commas, such as `1, 3, 224, 224`. */
  readonly shape: string;
  readonly fill: Fill;
  /** JSON: numbers, booleans or texts, nested or in one list. */
  readonly values: string;
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
export function tensorOf({ name, type }: Spec, { shape, fill, values }: TypedInput): TypedTensor {
  const sizes = sizesOf(name, shape);
  const count = sizes.reduce((product, size) => product * size, 1);
  if (count > MOST_ELEMENTS) {
    throw new Error(`${name}: ${count} elements are more than a page sends (${MOST_ELEMENTS}).`);
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
}

const DATATYPES: Readonly<Record<string, string>> = {
  string: 'BYTES',
  float32: 'FP32',
  float64: 'FP64',
};

const datatypeOf = (type: string): string => DATATYPES[type] ?? type.toUpperCase();

/** A text inside single quotes of a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The `curl` line that sends the same tensor; zeros when the page generated the values. */
export function curlOf(origin: string, deployment: string, inputs: readonly Sent[]): string {
  const url = `${origin}/v2/models/${encodeURIComponent(deployment)}/infer`;
  const isTyped = inputs.every(({ fill }) => fill === 'values');
  const request = (binary: boolean): string =>
    JSON.stringify({
      inputs: inputs.map(({ spec, tensor }) => ({
        name: spec.name,
        shape: tensor.shape,
        datatype: datatypeOf(spec.type),
        ...(binary
          ? { parameters: { binary_data_size: (tensor.data as Uint8Array).byteLength } }
          : { data: jsonData(spec.type, tensor) }),
      })),
      ...(binary ? { parameters: { binary_data_output: false } } : {}),
    });
  if (isTyped || inputs.some(({ spec }) => spec.type === 'string')) {
    return `curl -s ${quoted(url)} -H 'content-type: application/json' -d ${quoted(request(false))}`;
  }
  const header = request(true);
  const size = inputs.reduce((sum, { tensor }) => sum + (tensor.data as Uint8Array).byteLength, 0);
  return `{ printf %s ${quoted(header)}; head -c ${size} /dev/zero; } | curl -s ${quoted(url)} -H 'inference-header-content-length: ${new TextEncoder().encode(header).length}' --data-binary @-`;
}

/** The TypeScript that sends the same. */
export function typeScriptOf(origin: string, deployment: string, inputs: readonly Sent[]): string {
  const fields = inputs.map(({ spec, tensor, fill }) => {
    const data = dataSource(spec.type, tensor, fill);
    const type = spec.type === 'bool' ? `type: 'bool', ` : '';
    const shape = JSON.stringify(tensor.shape).replaceAll(',', ', ');
    return `  ${JSON.stringify(spec.name)}: { ${type}shape: ${shape}, data: ${data} },`;
  });
  return [
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
