/** Operators that make constants, shapes, positions, ranges and random numbers; none has a gradient. */
import { elementTypeOf } from '../tensor/element-type.ts';
import { inferredOf } from '../infer/bounds.ts';
import { asShape, type InferenceNode, type InferenceRule } from '../infer/rule.ts';
import { isStatic, product, type Size, LONGEST_LIST } from '../infer/size.ts';
import { constantValue } from '../model/constant.ts';
import { isExact } from '../tensor/numbers.ts';
import { elementCount, values } from '../tensor/tensor.ts';
import { inferred, type Operators } from './operator.ts';

const inferConstant: InferenceRule = (node) => {
  const value = constantValue(node.proto);
  return [value === undefined ? undefined : inferredOf(value)];
};

const inferConstantOfShape: InferenceRule = (node) => {
  const value = node.attributeTensor('value');
  const type = value?.type ?? 'float32';
  const shape = asShape(node, 0);
  const count = isStatic(shape) ? elementCount(shape) : Infinity;
  const repeated = value === undefined ? undefined : inferredOf(value).elements?.[0];
  if (repeated === undefined || !(count >= 0 && count <= LONGEST_LIST)) return [{ type, shape }];
  return [{ type, shape, elements: Array.from({ length: count }, () => repeated) }];
};

const inferShape: InferenceRule = (node) => {
  const { shape } = node.given(0);
  if (shape === undefined) return [{ type: 'int64', shape: [node.unknown(0)] }];
  const end = node.attributeInt('end', shape.length);
  const part = shape.slice(node.attributeInt('start', 0), end);
  return [{ type: 'int64', shape: [part.length], elements: part }];
};

const inferSize: InferenceRule = (node) => {
  const { shape } = node.given(0);
  return [{ type: 'int64', shape: [], elements: shape && [product(shape)] }];
};

const inferRange: InferenceRule = (node) => {
  const { type } = node.given(0);
  const [start, end, step] = [0, 1, 2].map((index) => numberOf(node, index));
  const symbolic = node.given(1).elements?.[0];
  let count: Size = node.unknown(0);
  if (start !== undefined && end !== undefined && step !== undefined) {
    count = Math.max(0, Math.ceil((end - start) / step));
  } else if (start === 0 && step === 1 && symbolic !== undefined) count = symbolic;
  return [{ type, shape: [count] }];
};

function numberOf(node: InferenceNode, index: number): number | undefined {
  const value = node.tensor(index);
  const isNumber = value !== undefined && value.type !== 'string';
  if (value?.type === 'float16' || value?.type === 'bfloat16') return undefined;
  const number = isNumber ? Number(values(value)[0]) : node.ints(index)?.[0];
  return number !== undefined && isExact(number) ? number : undefined;
}

const like: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  return [{ type: elementTypeOf(node.attributeInt('dtype', 0)) ?? type, shape }];
};

const random: InferenceRule = (node) => {
  const type = elementTypeOf(node.attributeInt('dtype', 1));
  return type === undefined ? [] : [{ type, shape: node.attributeInts('shape') }];
};

const inferNonZero: InferenceRule = (node) => {
  const rank = node.given(0).shape?.length;
  return [{ type: 'int64', shape: [rank ?? node.unknown(0), node.unknown(1)] }];
};

export const generation: Operators = {
  Constant: { infer: inferConstant },
  ConstantOfShape: { infer: inferConstantOfShape },
  Shape: { infer: inferShape },
  Size: { infer: inferSize },
  NonZero: { infer: inferNonZero },
  Range: { infer: inferRange },
  ...inferred('Bernoulli EyeLike RandomNormalLike RandomUniformLike', like),
  ...inferred('RandomNormal RandomUniform', random),
};
