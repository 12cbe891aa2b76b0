/**
 * Validates a request against the signature, and computes its rows and which requests it may share
 * a run with.
 *
 * Requests share a run when every input has the same size beyond the first dimension. A request
 * whose inputs disagree on the first dimension still runs, alone.
 */
import { SkeinError } from '@skein/api';
import {
  elementCount,
  elementSize,
  values,
  type NumericTensor,
  type Signature,
  type Tensor,
  type TensorMap,
  type TensorSpec,
} from '@skein/onnx';

export interface Demand {
  readonly rows: number;
  /** The open sizes beyond the first dimension, in the order of the inputs; all sizes if it runs alone. */
  readonly laneKey: string;
  readonly batches: boolean;
}

export interface RequestCheck {
  /** @throws SkeinError INPUT_* and OUTPUT_UNKNOWN. */
  (inputs: TensorMap, outputs: readonly string[] | undefined): Demand;
}

/** Whether rows of different requests may share a run: the first dimension of all inputs and outputs is open. */
export function isBatchable({ inputs, outputs }: Signature): boolean {
  const isOpen = ({ shape }: TensorSpec): boolean =>
    shape.length > 0 && typeof shape[0] !== 'number';
  return inputs.length > 0 && inputs.every(isOpen) && outputs.every(isOpen);
}

/** @param finiteOnly refuses NaN and infinity. */
export function requestCheck(signature: Signature, finiteOnly: boolean): RequestCheck {
  const specs = signature.inputs;
  const batchable = isBatchable(signature);
  const known = new Set(specs.map(({ name }) => name));
  const outputNames = new Set(signature.outputs.map(({ name }) => name));
  const from = batchable ? 1 : 0;
  const hasOpenSizes = specs.some(({ shape }) =>
    shape.some((size, axis) => axis >= from && typeof size !== 'number'),
  );

  return (inputs, outputs) => {
    let rows = 1;
    let agree = batchable;
    let laneKey = '';
    for (let i = 0; i < specs.length; i++) {
      const spec = specs[i]!;
      const tensor = inputs.get(spec.name);
      if (tensor === undefined) throw missing(spec, inputs, known);
      checkTensor(spec, tensor);
      if (finiteOnly && tensor.type !== 'string') checkFinite(spec.name, tensor);
      const { shape } = tensor;
      if (batchable) {
        if (i === 0) rows = shape[0]!;
        else if (shape[0] !== rows) agree = false;
      }
      if (hasOpenSizes) laneKey += sizesOf(shape, from);
    }
    if (inputs.size > specs.length) throw unknown(inputs, known);
    if (outputs !== undefined) {
      for (const name of outputs) {
        if (outputNames.has(name)) continue;
        const names = [...outputNames].join(', ');
        throw new SkeinError(
          'OUTPUT_UNKNOWN',
          `There is no output "${name}"; the names are ${names}.`,
        );
      }
    }
    if (batchable && rows === 0) {
      throw new SkeinError(
        'INPUT_SHAPE',
        `Input "${specs[0]!.name}" has no rows; at least one is required.`,
      );
    }
    if (agree) return { rows, laneKey, batches: true };
    // If the first dimensions differ, their sizes drive the cost like all others.
    if (batchable) for (const { name } of specs) laneKey += sizesOf(inputs.get(name)!.shape, 0);
    return { rows: 1, laneKey: `${laneKey}!`, batches: false };
  };
}

/** Elements of each input per row, which drive the cost of a run. */
export function elementsPerRow(
  { inputs: specs }: Signature,
  inputs: TensorMap,
  { rows }: Demand,
): number[] {
  return specs.map(({ name }) => elementCount(inputs.get(name)!.shape) / rows);
}

function sizesOf(shape: readonly number[], from: number): string {
  let sizes = '';
  for (let axis = from; axis < shape.length; axis++) sizes += `${shape[axis]}x`;
  return `${sizes};`;
}

function checkTensor({ name, type, shape }: TensorSpec, tensor: Tensor): void {
  if (tensor.type !== type) {
    throw new SkeinError(
      'INPUT_DATATYPE',
      `Input "${name}" is ${tensor.type}, but ${type} is required.`,
    );
  }
  let fits = tensor.shape.length === shape.length;
  for (let axis = 0; fits && axis < shape.length; axis++) {
    const size = shape[axis];
    const given = tensor.shape[axis]!;
    if (typeof size === 'number' ? size !== given : !isSize(given)) fits = false;
  }
  if (!fits) {
    const wanted = shape.map((size) => (typeof size === 'number' ? size : -1)).join(', ');
    throw new SkeinError(
      'INPUT_SHAPE',
      `Input "${name}" has the shape [${tensor.shape.join(', ')}], but [${wanted}] is required.`,
    );
  }
  const count = elementCount(tensor.shape);
  if (tensor.type === 'string') {
    if (tensor.elements.length === count) return;
    throw new SkeinError(
      'INPUT_DATA',
      `Input "${name}" of shape [${tensor.shape.join(', ')}] takes ${count} strings, but ${tensor.elements.length} were sent.`,
    );
  }
  const bytes = count * elementSize(tensor.type);
  if (tensor.bytes.byteLength === bytes) return;
  throw new SkeinError(
    'INPUT_DATA',
    `Input "${name}" of shape [${tensor.shape.join(', ')}] takes ${bytes} bytes, but ${tensor.bytes.byteLength} were sent.`,
  );
}

/** A face has checked it; a program that embeds serving, or a composition, may be wrong. */
function isSize(size: number): boolean {
  return Number.isSafeInteger(size) && size >= 0;
}

function checkFinite(name: string, tensor: NumericTensor): void {
  const position = firstNonFinite(tensor);
  if (position === undefined) return;
  throw new SkeinError(
    'INPUT_NOT_FINITE',
    `Input "${name}" holds NaN or infinity at element ${position}, and only finite values are allowed.`,
  );
}

/** 16-bit floats are NaN or infinite when all bits of the exponent are set. */
const EXPONENT_BITS = { float16: 0x7c00, bfloat16: 0x7f80 };

function firstNonFinite(tensor: NumericTensor): number | undefined {
  const { type } = tensor;
  if (type === 'float32' || type === 'float64') {
    const numbers = values(tensor) as Float32Array | Float64Array;
    // x − x is 0 for finite x and NaN otherwise: one sum instead of a branch per element.
    let sum = 0;
    for (let i = 0; i < numbers.length; i++) sum += numbers[i]! - numbers[i]!;
    if (sum === 0) return undefined;
    return numbers.findIndex((value) => !Number.isFinite(value));
  }
  if (type === 'float16' || type === 'bfloat16') {
    const mask = EXPONENT_BITS[type];
    const bits = values(tensor) as Uint16Array;
    const position = bits.findIndex((value) => (value & mask) === mask);
    return position < 0 ? undefined : position;
  }
  return undefined;
}

function missing(spec: TensorSpec, inputs: TensorMap, known: ReadonlySet<string>): SkeinError {
  // A misspelt name is both missing and unknown; reporting it as unknown helps more.
  for (const name of inputs.keys()) if (!known.has(name)) return unknown(inputs, known);
  return new SkeinError('INPUT_MISSING', `Input "${spec.name}" was not sent.`);
}

function unknown(inputs: TensorMap, known: ReadonlySet<string>): SkeinError {
  const stranger = [...inputs.keys()].find((name) => !known.has(name));
  const names = [...known].join(', ');
  return new SkeinError(
    'INPUT_UNKNOWN',
    `There is no input "${stranger}"; the names are ${names}.`,
  );
}
