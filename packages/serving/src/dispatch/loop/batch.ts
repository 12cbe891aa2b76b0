/**
 * Joins requests into one run along the first dimension, and splits its outputs again.
 *
 * Every input byte is copied once, into a buffer that the runtime may keep. The requests keep their
 * own inputs, so that they can run again when a replica is lost. Outputs are not copied.
 */
import { elementSize, type NumericTensor, type Tensor, type TensorMap } from '@skein/onnx';

/** The part of a request that a batch uses. */
export interface Member {
  readonly inputs: TensorMap;
  /** Outputs to return; all if absent or empty. */
  readonly outputs?: readonly string[] | undefined;
}

/** Bytes that are copied at once: about 5 ms when their pages are new. */
const STEP_BYTES = 8 * 2 ** 20;

/**
 * @param names of the inputs.
 * @param members inputs that agree on everything but the size of the first dimension.
 * @param rows of all members together.
 */
export function joinInputs(
  names: readonly string[],
  members: readonly Member[],
  rows: number,
): Map<string, Tensor> {
  const steps = joinSteps(names, members, rows);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Joins like `joinInputs`, but yields where a large copy should let other work run. */
export function* joinSteps(
  names: readonly string[],
  members: readonly Member[],
  rows: number,
): Generator<void, Map<string, Tensor>> {
  const joined = new Map<string, Tensor>();
  for (const name of names) {
    const first = members[0]!.inputs.get(name)!;
    const shape = members.length === 1 ? first.shape : [rows, ...first.shape.slice(1)];
    joined.set(
      name,
      first.type === 'string'
        ? joinStrings(name, members, shape)
        : yield* joinNumbers(name, first.type, members, shape),
    );
  }
  return joined;
}

function joinStrings(name: string, members: readonly Member[], shape: readonly number[]): Tensor {
  const elements = members.flatMap((member) => {
    const tensor = member.inputs.get(name)!;
    return tensor.type === 'string' ? tensor.elements : [];
  });
  return { type: 'string', shape, elements };
}

function* joinNumbers(
  name: string,
  type: NumericTensor['type'],
  members: readonly Member[],
  shape: readonly number[],
): Generator<void, Tensor> {
  let size = elementSize(type);
  for (const length of shape) size *= length;
  // A separate allocation, not from a pool: the runtime may then move it to its thread.
  const bytes = Buffer.allocUnsafeSlow(size);
  let offset = 0;
  for (const member of members) {
    const part = (member.inputs.get(name) as NumericTensor).bytes;
    if (part.byteLength <= STEP_BYTES) bytes.set(part, offset);
    else {
      for (let at = 0; at < part.byteLength; at += STEP_BYTES) {
        bytes.set(part.subarray(at, at + STEP_BYTES), offset + at);
        yield;
      }
    }
    offset += part.byteLength;
  }
  // The buffer is not zeroed: every byte must be filled before the model reads it.
  if (offset !== size) throw new RangeError(`Input "${name}" was changed after it was accepted.`);
  return { type, shape, bytes };
}

/** The outputs that all members request; undefined for all outputs. */
export function commonOutputs(members: readonly Member[]): readonly string[] | undefined {
  const { outputs } = members[0]!;
  if (outputs === undefined || outputs.length === 0) return undefined;
  if (members.length === 1) return outputs;
  const wanted = outputs.join();
  return members.every((member) => member.outputs?.join() === wanted) ? outputs : undefined;
}

/** The first output that does not have `rows` rows; undefined if all do. */
export function unevenOutput(outputs: TensorMap, rows: number): string | undefined {
  for (const [name, { shape }] of outputs) if (shape[0] !== rows) return name;
  return undefined;
}

/** The outputs of a member: rows `from` to `from + count`, as views. */
export function outputsOf(
  member: Member,
  outputs: TensorMap,
  from: number,
  count: number,
): Map<string, Tensor> {
  const names =
    member.outputs === undefined || member.outputs.length === 0 ? outputs.keys() : member.outputs;
  const own = new Map<string, Tensor>();
  for (const name of names) own.set(name, sliceRows(outputs.get(name)!, from, count));
  return own;
}

function sliceRows(tensor: Tensor, from: number, count: number): Tensor {
  const shape = tensor.shape.slice();
  const rows = shape[0]!;
  shape[0] = count;
  if (tensor.type === 'string') {
    const perRow = tensor.elements.length / rows;
    const elements = tensor.elements.slice(from * perRow, (from + count) * perRow);
    return { type: 'string', shape, elements };
  }
  const perRow = tensor.bytes.byteLength / rows;
  const bytes = tensor.bytes.subarray(from * perRow, (from + count) * perRow);
  return { type: tensor.type, shape, bytes };
}
