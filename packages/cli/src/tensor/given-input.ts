/** `--input NAME=…`, `--image FILE` and `--data JSON` as tensors. */
import { SkeinError } from '@skein/api/errors';
import {
  elementCount,
  elementSize,
  parseExactJson,
  stringTensor,
  type Signature,
  type Tensor,
  type TensorSpec,
} from '@skein/onnx';
import { givenText, parseGivenJson, readGivenFile } from '../file.ts';
import { didYouMean, usageError } from '../command-line/usage.ts';
import { encodeValues, isScalar, type Scalar } from './encode.ts';
import { checkedShape, declaredText, fill, resolveShape } from './shape.ts';

export interface GivenInputs {
  /** `NAME=FILE.npy`, `NAME=FILE.json`, `NAME=@FILE` (its bytes) or `NAME=JSON`. */
  readonly input: readonly string[];
  readonly image: string | undefined;
  /** `{"NAME": values, …}`, or a body of the Open Inference Protocol; `@FILE` for a file of it. */
  readonly data: string | undefined;
}

/** @throws SkeinError USAGE, FILE_UNREADABLE, INPUT_UNKNOWN, INPUT_MISSING, INPUT_DATA, INPUT_SHAPE. */
export async function readInputs(
  given: GivenInputs,
  signature: Signature,
  cwd: string,
): Promise<Record<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  const add = (name: string, tensor: Tensor): void => {
    if (tensors.has(name)) throw usageError(`The input "${name}" is given twice.`);
    tensors.set(name, tensor);
  };
  if (given.data !== undefined) {
    for (const { name, data, shape } of inputsOf(await givenText(cwd, given.data))) {
      add(name, fromJson(find(name, signature), data, shape));
    }
  }
  if (given.image !== undefined) {
    const spec = imageInput(signature);
    add(spec.name, fromBytes(spec, await readGivenFile(cwd, given.image)));
  }
  for (const pair of given.input) {
    const equals = pair.indexOf('=');
    const [only] = signature.inputs;
    const named = equals > 0 && /^[\w./:-]+$/.test(pair.slice(0, equals));
    if (!named && signature.inputs.length !== 1) {
      throw usageError(`--input: "${pair}" is not NAME=VALUE.`);
    }
    const name = named ? pair.slice(0, equals) : (only?.name ?? '');
    const value = named ? pair.slice(equals + 1) : pair;
    add(name, await fromText(find(name, signature), value, cwd));
  }
  const missing = signature.inputs.find((spec) => !tensors.has(spec.name));
  if (missing !== undefined) {
    throw new SkeinError(
      'INPUT_MISSING',
      `The input "${missing.name}" (${specText(missing)}) is missing: give --input ${missing.name}=….`,
    );
  }
  return Object.fromEntries(tensors);
}

async function fromText(spec: TensorSpec, value: string, cwd: string): Promise<Tensor> {
  if (value.startsWith('@')) return fromBytes(spec, await readGivenFile(cwd, value.slice(1)));
  if (value.endsWith('.npy')) {
    const file = await readGivenFile(cwd, value);
    // Only such an input needs the readers of training data.
    const { readNpy } = await import('@skein/train');
    return explained(spec, `"${value}": `, () => fitted(spec, readNpy(file, 'it')));
  }
  if (value.endsWith('.json')) {
    const text = (await readGivenFile(cwd, value)).toString('utf8');
    return fromJson(spec, parseGivenJson(text, `"${value}"`, parseExactJson));
  }
  if (spec.type === 'string' && !/^[["]/.test(value)) return fromJson(spec, value);
  return fromJson(spec, parseGivenJson(value, `--input ${spec.name}`, parseExactJson));
}

/** A tensor of a file in the declared shape; its element type must be the declared one. */
function fitted(spec: TensorSpec, read: Tensor): Tensor {
  if (read.type !== spec.type)
    throw new Error(`it holds ${read.type}, but the input takes ${spec.type}`);
  const shape = resolveShape(read.shape, spec.shape, elementCount(read.shape));
  return { ...read, shape };
}

/** A file's bytes: one element of a string input, or the raw values of a numeric one. */
function fromBytes(spec: TensorSpec, bytes: Uint8Array): Tensor {
  return explained(spec, '', () => {
    const count = spec.type === 'string' ? 1 : bytes.byteLength / elementSize(spec.type);
    const shape = Number.isInteger(count) ? fill(spec.shape, count) : undefined;
    if (shape === undefined) {
      throw new Error(`${bytes.byteLength} bytes do not fill ${specText(spec)}`);
    }
    return spec.type === 'string'
      ? stringTensor(shape, [bytes])
      : { type: spec.type, shape, bytes };
  });
}

/** @param given the shape, where it differs from the shape of the nested values. */
function fromJson(spec: TensorSpec, values: unknown, given?: unknown): Tensor {
  return explained(spec, '', () => {
    const flat: Scalar[] = [];
    const nesting = flatten(values, flat);
    const shape =
      given === undefined
        ? resolveShape(nesting, spec.shape, flat.length)
        : checkedShape(given, spec.shape);
    return encodeValues(spec.type, shape, flat);
  });
}

/** Appends the leaves to `into`. @returns the shape of the nesting. @throws Error when it is ragged. */
function flatten(values: unknown, into: Scalar[]): number[] {
  if (Array.isArray(values)) {
    const shapes = values.map((inner: unknown) => flatten(inner, into));
    const [first = []] = shapes;
    if (
      shapes.some(
        (shape) => shape.length !== first.length || shape.some((size, at) => size !== first[at]),
      )
    ) {
      throw new Error('its lists are not all of one length');
    }
    return [values.length, ...first];
  }
  if (isScalar(values)) {
    into.push(values);
    return [];
  }
  throw new Error(`${JSON.stringify(values)} is not a value`);
}

interface JsonInput {
  readonly name: string;
  readonly data: unknown;
  readonly shape?: unknown;
}

function* inputsOf(text: string): Generator<JsonInput> {
  const data = parseGivenJson(text, '--data', parseExactJson);
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw usageError('--data is not a JSON object such as {"x": [1, 2]}.');
  }
  const { inputs } = data as { inputs?: unknown };
  if (!Array.isArray(inputs)) {
    for (const [name, values] of Object.entries(data)) yield { name, data: values };
    return;
  }
  for (const input of inputs as (Partial<JsonInput> | null)[]) {
    if (typeof input?.name !== 'string') throw usageError('--data: an input has no name.');
    yield { name: input.name, data: input.data, shape: input.shape };
  }
}

function imageInput(signature: Signature): TensorSpec {
  const texts = signature.inputs.filter((spec) => spec.type === 'string');
  const spec = texts.find(({ name }) => name === 'image') ?? texts[0];
  if (spec === undefined) {
    throw usageError(
      '--image sends the bytes of a file, but no input takes bytes; give numbers with --input NAME=FILE.npy.',
    );
  }
  return spec;
}

function find(name: string, signature: Signature): TensorSpec {
  const spec = signature.inputs.find((candidate) => candidate.name === name);
  if (spec !== undefined) return spec;
  const known = signature.inputs.map((candidate) => candidate.name);
  throw new SkeinError(
    'INPUT_UNKNOWN',
    `There is no input "${name}".${didYouMean(name, known)} The inputs are: ${known.join(', ')}.`,
  );
}

function explained<T>(spec: TensorSpec, prefix: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SkeinError) throw error;
    const reason = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
    throw new SkeinError('INPUT_DATA', `Input "${spec.name}": ${prefix}${reason}.`);
  }
}

function specText(spec: TensorSpec): string {
  return `${spec.type}${declaredText(spec.shape)}`;
}
