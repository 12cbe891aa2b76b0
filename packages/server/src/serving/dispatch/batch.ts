/**
 * Joins requests into one run along the first dimension, and takes its outputs apart again.
 *
 * Going in, every byte is copied once, into a buffer that the runtime may keep: the requests keep
 * theirs, so that they can run again when a replica is lost. Coming out, nothing is copied.
 */
import { elementSize, type NumericTensor, type Tensor, type TensorMap } from '@skein/onnx';

/**
 * @param names of the inputs.
 * @param members inputs that agree on everything but the size of the first dimension.
 * @param rows of all members together.
 */
export function joinInputs(
  names: readonly string[],
  members: readonly TensorMap[],
  rows: number,
): Map<string, Tensor> {
  const joined = new Map<string, Tensor>();
  for (const name of names) {
    const first = members[0]!.get(name)!;
    const shape = members.length === 1 ? first.shape : [rows, ...first.shape.slice(1)];
    joined.set(name, join(name, first, members, shape));
  }
  return joined;
}

function join(
  name: string,
  first: Tensor,
  members: readonly TensorMap[],
  shape: readonly number[],
): Tensor {
  if (first.type === 'string') {
    const elements = members.flatMap((member) => {
      const tensor = member.get(name)!;
      return tensor.type === 'string' ? tensor.elements : [];
    });
    return { type: 'string', shape, elements };
  }
  let size = elementSize(first.type);
  for (const length of shape) size *= length;
  // Of its own size and not from a pool: the runtime may then move it to its thread.
  const bytes = Buffer.allocUnsafeSlow(size);
  let offset = 0;
  for (const member of members) {
    const part = (member.get(name) as NumericTensor).bytes;
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  // The buffer is not cleared: what nobody has filled must not reach the model.
  if (offset !== size) throw new RangeError(`Input "${name}" was changed after it was accepted.`);
  return { type: first.type, shape, bytes };
}

/** The first output that does not have `rows` rows; undefined when all do. */
export function unevenOutput(outputs: TensorMap, rows: number): string | undefined {
  for (const [name, { shape }] of outputs) if (shape[0] !== rows) return name;
  return undefined;
}

/** Rows `from` to `from + count` of every output, as views. Names that are not there are left out. */
export function rowsOf(
  outputs: TensorMap,
  from: number,
  count: number,
  names: Iterable<string>,
): Map<string, Tensor> {
  const part = new Map<string, Tensor>();
  for (const name of names) {
    const tensor = outputs.get(name);
    if (tensor !== undefined) part.set(name, sliceRows(tensor, from, count));
  }
  return part;
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
