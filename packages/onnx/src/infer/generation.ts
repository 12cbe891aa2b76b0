/** Operators that make positions, ranges and random numbers. */
import { elementTypeOf } from '../element-type.ts';
import { values } from '../tensor.ts';
import type { InferenceNode, InferenceRule } from './rule.ts';
import type { Size } from './size.ts';

export const generation: Readonly<Record<string, InferenceRule>> = {
  NonZero: (node) => {
    const rank = node.given(0).shape?.length;
    return [{ type: 'int64', shape: [rank ?? node.unknown(0), node.unknown(1)] }];
  },
  Range: (node) => {
    const { type } = node.given(0);
    const [start, end, step] = [0, 1, 2].map((index) => numberOf(node, index));
    const symbolic = node.given(1).elements?.[0];
    let count: Size = node.unknown(0);
    if (start !== undefined && end !== undefined && step !== undefined) {
      count = Math.max(0, Math.ceil((end - start) / step));
    } else if (start === 0 && step === 1 && symbolic !== undefined) count = symbolic;
    return [{ type, shape: [count] }];
  },
  EyeLike: like,
  RandomNormalLike: like,
  RandomUniformLike: like,
  Bernoulli: like,
  RandomNormal: random,
  RandomUniform: random,
};

function numberOf(node: InferenceNode, index: number): number | undefined {
  const value = node.tensor(index);
  if (value === undefined || value.type === 'string') return node.ints(index)?.[0];
  const isHalf = value.type === 'float16' || value.type === 'bfloat16';
  return isHalf ? undefined : Number(values(value)[0]);
}

function like(node: InferenceNode): ReturnType<InferenceRule> {
  const { type, shape } = node.given(0);
  return [{ type: elementTypeOf(node.attributeInt('dtype', 0)) ?? type, shape }];
}

function random(node: InferenceNode): ReturnType<InferenceRule> {
  const type = elementTypeOf(node.attributeInt('dtype', 1));
  return type === undefined ? [] : [{ type, shape: node.attributeInts('shape') }];
}
