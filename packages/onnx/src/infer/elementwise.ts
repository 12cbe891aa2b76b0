/** Operators that work element by element, with broadcasting where they take several inputs. */
import { elementTypeOf } from '../element-type.ts';
import { broadcast } from './broadcast.ts';
import { sameAsInput, type InferenceNode, type InferenceRule } from './rule.ts';
import { plus, product, quotient, type Size } from './size.ts';

const UNARY =
  'Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Clip Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish Hardmax Identity LeakyRelu Log LogSoftmax LpNormalization LRN Mish Not Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu CumSum MeanVarianceNormalization Trilu ReverseSequence';
const ARITHMETIC =
  'Add Sub Mul Div Mod Pow Min Max Sum Mean BitShift BitwiseAnd BitwiseOr BitwiseXor';
const LOGICAL = 'And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual';

export const elementwise: Readonly<Record<string, InferenceRule>> = {
  ...byName(UNARY, sameAsInput),
  ...byName(ARITHMETIC, arithmetic),
  ...byName(LOGICAL, (node) => [{ type: 'bool', shape: shapesOf(node) }]),
  Identity: (node) => [node.given(0)],
  Neg: (node) => {
    const { type, shape, elements } = node.given(0);
    const known = elements?.every((each) => typeof each === 'number') === true;
    return [{ type, shape, ...(known ? { elements: elements.map((each) => -each) } : {}) }];
  },
  // Before version 7, one slope belonged to one channel, which is no broadcast.
  PRelu: (node) => (node.opset < 7 ? sameAsInput(node) : arithmetic(node)),
  StringConcat: (node) => [{ type: 'string', shape: shapesOf(node) }],
  RegexFullMatch: (node) => [{ type: 'bool', shape: node.given(0).shape }],
  IsNaN: (node) => [{ type: 'bool', shape: node.given(0).shape }],
  IsInf: (node) => [{ type: 'bool', shape: node.given(0).shape }],
  Where: (node) => [{ type: node.given(1).type, shape: shapesOf(node) }],
  Cast: (node) => {
    const type = elementTypeOf(node.attributeInt('to'));
    if (type === undefined) return [];
    const { shape, elements } = node.given(0);
    const kept = elements !== undefined && (type === 'int64' || type === 'int32');
    return [{ type, shape, ...(kept ? { elements } : {}) }];
  },
  CastLike: (node) => [{ type: node.given(1).type, shape: node.given(0).shape }],
};

function byName(names: string, rule: InferenceRule): Record<string, InferenceRule> {
  return Object.fromEntries(names.split(' ').map((name) => [name, rule]));
}

function shapesOf(node: InferenceNode): readonly Size[] | undefined {
  return broadcast(
    node,
    node.inputs.map((_, index) => node.given(index).shape),
  );
}

function arithmetic(node: InferenceNode): ReturnType<InferenceRule> {
  const { type } = node.given(0);
  const shape = shapesOf(node);
  const elements = node.inputs.length === 2 ? computed(node) : undefined;
  return [{ type, shape, ...(elements === undefined ? {} : { elements }) }];
}

/** Arithmetic on shapes that a graph computes. */
function computed(node: InferenceNode): readonly Size[] | undefined {
  const a = node.given(0).elements;
  const b = node.given(1).elements;
  if (a === undefined || b === undefined) return undefined;
  if (a.length !== b.length && a.length !== 1 && b.length !== 1) return undefined;
  const results = Array.from({ length: Math.max(a.length, b.length) }, (_, i) =>
    apply(node.opType, a.length === 1 ? a[0]! : a[i]!, b.length === 1 ? b[0]! : b[i]!),
  );
  return results.every((each) => each !== undefined) ? results : undefined;
}

function apply(operator: string, a: Size, b: Size): Size | undefined {
  switch (operator) {
    case 'Add':
      if (typeof b === 'number') return plus(a, b);
      return typeof a === 'number' ? plus(b, a) : undefined;
    case 'Sub':
      return typeof b === 'number' ? plus(a, -b) : undefined;
    case 'Mul':
      return product([a, b]);
    case 'Div':
      if (typeof a === 'number' && typeof b === 'number') {
        return b === 0 ? undefined : Math.trunc(a / b);
      }
      return quotient([a], [b]);
    case 'Max':
      return typeof a === 'number' && typeof b === 'number' ? Math.max(a, b) : undefined;
    case 'Min':
      return typeof a === 'number' && typeof b === 'number' ? Math.min(a, b) : undefined;
    default:
      return undefined;
  }
}
