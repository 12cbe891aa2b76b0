/**
 * The inputs and outputs that a model configuration names, compared with the model's. Triton leaves
 * the batch dimension out where `max_batch_size` is not 0; a client may send either form.
 */
import { datatypeOf } from '@skein/api';
import type { Dimension, Signature, TensorSpec } from '@skein/onnx';
import { brief } from '../../brief.ts';

/** The fields as sent: `name` and `type` are not checked yet. */
export interface ConfigTensor {
  readonly role: 'inputs' | 'outputs';
  readonly name: unknown;
  readonly type: unknown;
  /** -1: any size. Absent: not named. */
  readonly dims: readonly number[] | undefined;
}

/** The name of a tensor's type in a configuration. */
export function configTypeOf({ type }: Pick<TensorSpec, 'type'>): string {
  const name = datatypeOf(type);
  return name === 'BYTES' ? 'TYPE_STRING' : `TYPE_${name}`;
}

/** The first difference between the model and the configuration; undefined if there is none. */
export function tensorMismatch(
  { role, name, type, dims }: ConfigTensor,
  signature: Signature,
): string | undefined {
  const specs = signature[role];
  const what = role === 'inputs' ? 'input' : 'output';
  const spec = specs.find((each) => each.name === name);
  if (spec === undefined) {
    const names = specs.map((each) => each.name).join(', ');
    return `the model has no ${what} ${brief(name)}; the names are ${names}`;
  }
  const own = configTypeOf(spec);
  if (type !== undefined && type !== own) {
    return `${what} "${spec.name}" is ${own}, but its config has ${brief(type)}`;
  }
  const { shape } = spec;
  if (dims === undefined || fits(dims, shape) || fits(dims, shape.slice(1))) return undefined;
  const sizes = shape.map((size) => (typeof size === 'number' ? size : -1));
  return `${what} "${spec.name}" has the shape [${sizes.join(', ')}], but its config has [${dims.join(', ')}]`;
}

function fits(dims: readonly number[], shape: readonly Dimension[]): boolean {
  if (dims.length !== shape.length) return false;
  return shape.every((size, axis) => {
    const dim = dims[axis]!;
    return typeof size === 'number' ? dim === size || dim === -1 : dim >= -1;
  });
}
