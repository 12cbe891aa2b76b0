/**
 * Functions of single elements: y = f(x), and the gradient of x, f′(x)·g, as an expression of x, y
 * and the gradient g of y. An operator is one line of this table.
 *
 * Numbers in comments are formulas of Abramowitz and Stegun, Handbook of Mathematical Functions.
 * Where a function has a corner, the rule takes a subgradient, as PyTorch does.
 */
import { elementTypeOf } from '../../tensor/element-type.ts';
import type { GradientRule } from '../../gradient/rule.ts';
import { sameAsInput, type InferenceRule } from '../../infer/rule.ts';
import { isStatic, type Size } from '../../infer/size.ts';
import { isExact } from '../../tensor/numbers.ts';
import { differentiable, inferred, type Operators } from '../operator.ts';
import { operationsOf, type Operations } from './operations.ts';

/** Terms that an expression may use: values, attributes of the node, and operators. */
interface Terms extends Operations {
  readonly g: string;
  readonly x: string;
  readonly y: string;
  readonly float: (attribute: string, absent: number) => number;
  readonly string: (attribute: string, absent: string) => string;
  /** A constant in the type of x. */
  readonly scalar: (value: number) => string;
}

type Formula = (terms: Terms) => string;

const GRADIENTS: Readonly<Record<string, Formula>> = {
  Abs: ({ g, x, mul, sign }) => mul(g, sign(x)), // 0 at 0
  Reciprocal: ({ g, y, neg, mul, square }) => neg(mul(g, square(y))), // 3.3.4
  Sqrt: ({ g, y, div, mul }) => div(mul(g, 0.5), y), // 3.3.6
  Log: ({ g, x, div }) => div(g, x), // 4.1.46
  Exp: ({ g, y, mul }) => mul(g, y), // 4.2.49
  Sin: ({ g, x, mul, cos }) => mul(g, cos(x)), // 4.3.105
  Cos: ({ g, x, mul, neg, sin }) => mul(g, neg(sin(x))), // 4.3.106
  Tan: ({ g, y, mul, add, square }) => mul(g, add(square(y), 1)), // 4.3.107
  Asin: ({ g, x, div, sqrt, sub, square }) => div(g, sqrt(sub(1, square(x)))), // 4.4.52
  Acos: ({ g, x, neg, div, sqrt, sub, square }) => neg(div(g, sqrt(sub(1, square(x))))), // 4.4.53
  Atan: ({ g, x, div, add, square }) => div(g, add(square(x), 1)), // 4.4.54
  Sinh: ({ g, x, mul, cosh }) => mul(g, cosh(x)), // 4.5.71
  Cosh: ({ g, x, mul, sinh }) => mul(g, sinh(x)), // 4.5.72
  Tanh: ({ g, y, mul, sub, square }) => mul(g, sub(1, square(y))), // 4.5.73
  Asinh: ({ g, x, div, sqrt, add, square }) => div(g, sqrt(add(square(x), 1))), // 4.6.37
  Acosh: ({ g, x, div, sqrt, sub, square }) => div(g, sqrt(sub(square(x), 1))), // 4.6.38
  Atanh: ({ g, x, div, sub, square }) => div(g, sub(1, square(x))), // 4.6.39
  // 7.1.1, 2/√π·exp(−x²), with the factor inside the exponential, where it costs no pass over memory.
  Erf: ({ g, x, mul, exp, sub, scalar, square }) =>
    mul(g, exp(sub(scalar(Math.log(2 / Math.sqrt(Math.PI))), square(x)))),

  // Rumelhart, Hinton and Williams, 1986
  Sigmoid: ({ g, y, mul, sub }) => mul(g, mul(y, sub(1, y))),
  // Courbariaux, Bengio and David, 2015
  HardSigmoid: ({ g, y, float, mul, where, and, greater, less }) => {
    const inner = mul(g, float('alpha', 0.2));
    return where(and(greater(y, 0), less(y, 1)), inner, 0);
  },
  // Dugas et al., 2001
  Softplus: ({ g, x, mul, sigmoid }) => mul(g, sigmoid(x)),
  // Bergstra et al., 2009: 1/(1 + |x|)² = (1 − |y|)²
  Softsign: ({ g, y, mul, sub, scalar, abs, square }) => mul(g, square(sub(scalar(1), abs(y)))),
  // Nair and Hinton, 2010. A comparison and a product are what ONNX Runtime vectorises: for 250 thousand
  // elements they take 0.21 ms; Where takes 0.30 ms, and a product with sign(y) 0.51 ms.
  Relu: ({ g, y, mul, castLike, greater }) => mul(g, castLike(greater(y, 0), y)),
  // Maas, Hannun and Ng, 2013
  LeakyRelu: ({ g, x, float, where, greater, mul }) =>
    where(greater(x, 0), g, mul(g, float('alpha', 0.01))),
  // Konda, Memisevic and Krueger, 2015
  ThresholdedRelu: ({ g, x, float, where, greater }) => where(greater(x, float('alpha', 1)), g, 0),
  // Clevert et al., 2016: α·eˣ = y + α
  Elu: ({ g, x, y, float, ifPositive, mul, add }) =>
    ifPositive(x, g, mul(g, add(y, float('alpha', 1)))),
  // Barron, 2017: e^(x/α) = y/α + 1
  Celu: ({ g, x, y, float, ifPositive, mul, add }) =>
    ifPositive(x, g, mul(g, add(mul(y, 1 / float('alpha', 1)), 1))),
  // Klambauer et al., 2017: γ·α·eˣ = y + γ·α
  Selu: ({ g, x, y, float, where, greater, mul, add }) => {
    const [alpha, gamma] = [float('alpha', 1.6732632423543772), float('gamma', 1.0507009873554805)];
    const below = mul(g, add(y, gamma * alpha));
    return where(greater(x, 0), mul(g, gamma), below);
  },
  // Howard et al., 2019: 0 below −3, 1 above 3
  HardSwish: ({ g, x, mul, add, where, less, abs, castLike, greater }) => {
    const line = add(mul(x, 1 / 3), 0.5);
    return mul(g, where(less(abs(x), 3), line, castLike(greater(x, 0), x)));
  },
  // Misra, 2019: x·tanh(s) with s = ln(1 + eˣ)
  Mish: ({ g, x, mul, add, sub, scalar, square, tanh, softplus, sigmoid }) => {
    const t = tanh(softplus(x));
    const inner = mul(sub(scalar(1), square(t)), mul(x, sigmoid(x)));
    return mul(g, add(t, inner));
  },
  // Hendrycks and Gimpel, 2016
  Gelu: (terms) => {
    const approximate = terms.string('approximate', 'none') === 'tanh';
    return terms.mul(terms.g, (approximate ? tanhGelu : exactGelu)(terms));
  },
};

/** Φ(x) + x·φ(x), with the normal distribution Φ and its density φ. */
function exactGelu({ x, mul, add, erf, exp, square }: Terms): string {
  const share = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
  const density = mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return add(share, mul(x, density));
}

/** ½·(1 + t) + ½·x·(1 − t²)·u′, with t = tanh(u) and u = √(2/π)·(x + 0.044715·x³). */
function tanhGelu({ x, mul, add, sub, scalar, square, tanh }: Terms): string {
  const c = Math.sqrt(2 / Math.PI);
  const x2 = square(x);
  const t = tanh(mul(x, add(mul(x2, 0.044715 * c), c)));
  const rest = sub(scalar(1), square(t));
  const inner = mul(mul(x, rest), add(mul(x2, 3 * 0.044715 * c), c));
  return mul(add(add(t, 1), inner), 0.5);
}

function ruleOf(gradient: Formula): GradientRule {
  return (node, graph) => {
    const x = node.inputs[0]!;
    const terms: Terms = {
      ...operationsOf(graph),
      g: node.outputGradients[0]!,
      x,
      y: node.outputs[0]!,
      float: (attribute, absent) => node.attributeFloat(attribute, absent),
      string: (attribute, absent) => node.attributeString(attribute, absent),
      scalar: (value) => graph.scalar(value, x),
    };
    return [gradient(terms)];
  };
}

/** Shapes that a graph computes are followed through these. */
const inferNeg: InferenceRule = (node) => {
  const { type, shape, elements } = node.given(0);
  const known = isStatic(elements) && elements.every(isExact);
  return [{ type, shape, elements: known ? elements.map((each) => -each) : undefined }];
};

/** The gradient of an integer, which a QuantizeLinear wrote, stays a float. */
const Cast: GradientRule = (node, graph) => {
  const [x, g] = [node.inputs[0]!, node.outputGradients[0]!];
  return [/int/.test(graph.typeOf(x)) ? g : operationsOf(graph).castLike(g, x)];
};

const inferCast: InferenceRule = (node) => {
  const type = elementTypeOf(node.attributeInt('to'));
  if (type === undefined) return [];
  const { shape, elements } = node.given(0);
  const holds = (each: Size) => typeof each === 'string' || each === (each | 0);
  const kept = type === 'int64' || (type === 'int32' && elements?.every(holds));
  return [{ type, shape, elements: kept ? elements : undefined }];
};

const isTrue: InferenceRule = (node) => [{ type: 'bool', shape: node.given(0).shape }];

const WITHOUT_GRADIENT =
  'BitwiseNot Ceil CumSum Floor Hardmax LRN LpNormalization MeanVarianceNormalization Not ReverseSequence Round Shrink Sign Swish Trilu';

export const functions: Operators = {
  ...differentiable(GRADIENTS, (formula) => ({ infer: sameAsInput, gradient: ruleOf(formula) })),
  ...inferred(WITHOUT_GRADIENT, sameAsInput),
  Identity: { infer: (node) => [node.given(0)], gradient: ruleOf(({ g }) => g) },
  Neg: { infer: inferNeg, gradient: ruleOf(({ g, neg }) => neg(g)) }, // 3.3.1
  // Numbers of every width are the same here; the engine stops at integers.
  Cast: { infer: inferCast, gradient: Cast },
  CastLike: { infer: (node) => [{ type: node.given(1).type, shape: node.given(0).shape }] },
  ...inferred('IsInf IsNaN RegexFullMatch', isTrue),
};
