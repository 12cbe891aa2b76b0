/**
 * BatchNormalization while training: it normalises by the mean and variance of the batch, and makes
 * `next/…` of the running ones, m·running + (1 − m)·measured. The running variance is the variance of the
 * population, as ONNX defines it.
 *
 * Since opset 14 the operator has this form; before, it is written out.
 */
import type { TensorSpec } from '@skein/onnx';
import { nextOf } from '../optimisers/updates.ts';
import { modelError } from '../train-error.ts';
import { titleOf, type Node, type PartWriter } from './part-writer.ts';

const EPSILON = 1e-5;
const MOMENTUM = 0.9;

/**
 * @param data type and shape of the input, as far as they are known.
 * @throws TrainError `model` when the rank is not known.
 */
export function addNormalization(part: PartWriter, node: Node, data: TensorSpec | undefined): void {
  if (data === undefined) {
    throw modelError(
      `${titleOf(node)} cannot be trained: the shape of '${node.input[0]}' cannot be inferred; export the model with opset 14 or newer.`,
    );
  }
  const { type, shape } = data;
  const [x, scale, bias, ...running] = node.input as [string, string, string, string, string];
  const spatial = shape.slice(2).map((_, i) => i + 2);
  const axes = [0, ...spatial];
  const average = (of: string) => part.emit('ReduceMean', [of], { axes, keepdims: 1 });
  const wide = part.ints([-1, ...spatial.map(() => 1)]);
  const perChannel = (of: string) => part.emit('Reshape', [of, wide]);
  const mean = average(x);
  const centred = part.emit('Sub', [x, mean]);
  const variance = average(part.emit('Mul', [centred, centred]));
  const epsilon = part.scalar(type, attributeOf(node, 'epsilon', EPSILON));
  const deviation = part.emit('Sqrt', [part.emit('Add', [variance, epsilon])]);
  const normal = part.emit('Div', [centred, deviation]);
  const scaled = part.emit('Mul', [normal, perChannel(scale)]);
  part.emit('Add', [scaled, perChannel(bias)], {}, node.output[0]);

  const momentum = attributeOf(node, 'momentum', MOMENTUM);
  const flat = part.ints([-1]);
  for (const [i, measured] of [mean, variance].entries()) {
    const old = part.emit('Mul', [running[i]!, part.scalar(type, momentum)]);
    const own = part.emit('Reshape', [measured, flat]);
    const share = part.emit('Mul', [own, part.scalar(type, 1 - momentum)]);
    part.emit('Add', [old, share], {}, nextOf(running[i]!));
  }
}

function attributeOf({ attribute }: Node, wanted: string, absent: number): number {
  return attribute.find(({ name }) => name === wanted)?.f ?? absent;
}
