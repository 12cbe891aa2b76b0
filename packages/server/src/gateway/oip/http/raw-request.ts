/**
 * Triton's raw binary request: with `Inference-Header-Content-Length: 0`, the whole body is the
 * only input of the model; name, datatype and shape come from its signature. This is how `curl
 * --data-binary` sends an image to a model.
 *
 * As in Triton, every output is then returned as binary data, unless the Accept header names JSON.
 */
import { SkeinError } from '@skein/api';
import { elementSize, type Dimension, type NumericType, type TensorSpec } from '@skein/onnx';
import type { DeployedModel } from '@skein/serving';
import type { DecodedRequest } from './request.ts';
import { plainBytes, tensorFromBytes } from '../tensors/tensor-bytes.ts';
import { invalidData } from '../../brief.ts';

/**
 * @param accept the Accept header.
 * @throws SkeinError INPUT_MISSING, INPUT_SHAPE, INPUT_DATA if the body alone does not determine
 *   the input.
 */
export function decodeRawRequest(
  body: Buffer,
  model: DeployedModel,
  accept: string | undefined,
): DecodedRequest {
  const [input, second] = model.signature.inputs;
  if (input === undefined || second !== undefined) {
    throw new SkeinError(
      'INPUT_MISSING',
      `A raw binary request fits a model with one input; ${model.name} has ${model.signature.inputs.length}.`,
    );
  }
  const tensor =
    input.type === 'string'
      ? { type: input.type, shape: shapeOfOne(input), elements: [plainBytes(body)] }
      : tensorFromBytes(
          input.type,
          deducedShape(input, input.type, model, body.length),
          body,
          input.name,
        );
  return {
    id: undefined,
    inputs: new Map([[input.name, tensor]]),
    outputs: undefined,
    binary: { byDefault: !(accept?.includes('application/json') ?? false), byOutput: new Map() },
    classes: undefined,
    classNames: false,
    timeoutMs: undefined,
    priority: 0,
  };
}

/** One byte string: every open size is 1. */
function shapeOfOne({ name, shape }: TensorSpec): readonly number[] {
  const one = shape.map((size) => (typeof size === 'number' ? size : 1));
  if (one.every((size) => size === 1)) return one;
  throw new SkeinError(
    'INPUT_SHAPE',
    `A raw binary request is one element, but input "${name}" takes the shape [${printed(shape)}].`,
  );
}

/** One open size follows from the number of bytes; of two, the first is the batch size and is 1. */
function deducedShape(
  { name, shape }: TensorSpec,
  type: NumericType,
  { maxBatchRows }: DeployedModel,
  byteLength: number,
): readonly number[] {
  const open = shape.flatMap((size, axis) => (typeof size === 'number' ? [] : [axis]));
  const batched = open.length === 2 && open[0] === 0 && maxBatchRows > 1;
  if (open.length > 1 && !batched) {
    throw new SkeinError(
      'INPUT_SHAPE',
      `The shape [${printed(shape)}] of input "${name}" does not follow from a number of bytes; send the request with its JSON part.`,
    );
  }
  const deduced = shape.map((size) => (typeof size === 'number' ? size : 1));
  const axis = open.at(-1);
  if (axis === undefined) return deduced;
  const step = deduced.reduce((product, size) => product * size, elementSize(type));
  if (step === 0 || byteLength % step !== 0) {
    throw invalidData(
      `Input "${name}" of shape [${printed(shape)}] takes a multiple of ${step} bytes; the body has ${byteLength}.`,
    );
  }
  deduced[axis] = byteLength / step;
  return deduced;
}

function printed(shape: readonly Dimension[]): string {
  return shape.map((size) => size ?? -1).join(', ');
}
