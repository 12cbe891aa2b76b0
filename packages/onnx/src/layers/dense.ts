/**
 * `x · W + b` over the last axis: [batch, …, inputs] → [batch, …, units].
 *
 * For [batch, inputs] it is one Gemm with W as [units, inputs], the layout of PyTorch's `Linear`;
 * with axes between, a MatMul with W as [inputs, units].
 */
import { kaiming, xavier } from '../tensor/random.ts';
import { activate, type Activation } from './activation.ts';
import { weight, type Layer } from './layer.ts';

export interface DenseOptions {
  readonly units: number;
  /** Kaiming weights before a ReLU or its kin, else Xavier. Default `none`. */
  readonly activation?: Activation;
  /** Default true. */
  readonly bias?: boolean;
}

export function dense({ units, activation = 'none', bias = true }: DenseOptions): Layer {
  return (scope, x) => {
    const { graph, random } = scope;
    const inputs = x.shape.at(-1);
    if (inputs === undefined) throw new Error('dense takes [batch, …, inputs], but gets [batch].');
    if (!Number.isSafeInteger(units) || units < 1) {
      throw new Error(`units of dense must be a whole number above zero, not ${units}.`);
    }
    const count = inputs * units;
    const values = isRectifier(activation)
      ? kaiming(random, count, inputs)
      : xavier(random, count, inputs, units);
    const flat = x.shape.length === 1;
    const w = weight(scope, 'weight', flat ? [units, inputs] : [inputs, units], values);
    const b = bias ? [weight(scope, 'bias', [units], new Float32Array(units))] : [];
    let [y] = flat
      ? graph.node('Gemm', [x.name, w, ...b], { transB: 1 })
      : graph.node('MatMul', [x.name, w]);
    if (!flat && b.length > 0) [y] = graph.node('Add', [y, ...b]);
    return { name: activate(graph, y, activation), shape: [...x.shape.slice(0, -1), units] };
  };
}

/** Whether half of the values are lost, for which Kaiming's scale makes up. */
export function isRectifier(activation: Activation): boolean {
  return activation === 'relu' || activation === 'leakyRelu' || activation === 'gelu';
}
