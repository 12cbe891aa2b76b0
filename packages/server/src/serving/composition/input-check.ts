/** Checks a request against what a composition says that it takes and gives. */
import { SkeinError } from '@skein/api';
import {
  elementCount,
  elementSize,
  type Signature,
  type Tensor,
  type TensorSpec,
} from '@skein/onnx';
import type { InferenceRequest } from '../contract.ts';

/** @returns the reason for refusing the request; undefined when it fits. */
export function checkInputs(
  { inputs: specs, outputs }: Signature,
  { inputs, outputs: wanted }: Pick<InferenceRequest, 'inputs' | 'outputs'>,
): SkeinError | undefined {
  for (const spec of specs) {
    const tensor = inputs.get(spec.name);
    if (tensor === undefined)
      return new SkeinError('INPUT_MISSING', `Input "${spec.name}" was not sent.`);
    const flaw = tensorFlaw(spec, tensor);
    if (flaw !== undefined) return flaw;
  }
  if (inputs.size > specs.length) {
    const known = new Set(specs.map(({ name }) => name));
    for (const name of inputs.keys()) {
      if (!known.has(name)) return new SkeinError('INPUT_UNKNOWN', `There is no input "${name}".`);
    }
  }
  for (const name of wanted ?? []) {
    if (!outputs.some((output) => output.name === name)) {
      return new SkeinError('OUTPUT_UNKNOWN', `There is no output "${name}".`);
    }
  }
  return undefined;
}

function tensorFlaw({ name, type, shape }: TensorSpec, tensor: Tensor): SkeinError | undefined {
  if (tensor.type !== type) {
    return new SkeinError(
      'INPUT_DATATYPE',
      `Input "${name}" is ${tensor.type}, but ${type} is wanted.`,
    );
  }
  const fits =
    tensor.shape.length === shape.length &&
    shape.every((size, i) => typeof size !== 'number' || size === tensor.shape[i]);
  if (!fits) {
    return new SkeinError(
      'INPUT_SHAPE',
      `Input "${name}" has the shape [${tensor.shape.join(', ')}], but [${shape.map((size) => (typeof size === 'number' ? size : -1)).join(', ')}] is wanted.`,
    );
  }
  const count = elementCount(tensor.shape);
  const filled =
    tensor.type === 'string'
      ? tensor.elements.length === count
      : tensor.bytes.byteLength === count * elementSize(tensor.type);
  if (!filled) {
    return new SkeinError(
      'INPUT_DATA',
      `The data of input "${name}" do not fill its shape [${tensor.shape.join(', ')}].`,
    );
  }
  return undefined;
}
