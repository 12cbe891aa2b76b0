/**
 * Arithmetic of several operands, which are broadcast: the gradient of each is summed over the axes
 * along which it was repeated (`operand`). Comparisons and logic, which have no gradient, stand here
 * because they broadcast in the same way.
 *
 * Numbers in comments are formulas of Abramowitz and Stegun, Handbook of Mathematical Functions.
 */
import { elementTypeNumber } from '../../tensor/element-type.ts';
import type { GradientGraph, GradientNode, GradientRule } from '../../gradient/rule.ts';
import { broadcastInputs } from '../../infer/broadcast.ts';
import type { InferenceNode, InferenceRule } from '../../infer/rule.ts';
import { plus, product, quotient, type Size } from '../../infer/size.ts';
import { isExact } from '../../tensor/numbers.ts';
import { values } from '../../tensor/tensor.ts';
import { differentiable, inferred, type Operators } from '../operator.ts';
import { operationsOf } from './operations.ts';

const GRADIENTS: Readonly<Record<string, GradientRule>> = {
  Add: each((g) => g), // 3.3.2
  Sum: each((g) => g), // 3.3.2
  // d(a·b) = b·da + a·db (3.3.3)
  Mul: each((g, node, graph, i) => graph.emit('Mul', [g, node.inputs[1 - i]!])),
  // d(Σxᵢ/n) = Σdxᵢ/n (3.3.1, 3.3.2)
  Mean: each((g, node, graph) => operationsOf(graph).mul(g, 1 / node.inputs.length)),
  // d(a − b) = da − db (3.3.2), negated after the sum, which is the smaller tensor.
  Sub: (node, graph) => [
    operand(node, graph, 0, (g) => g),
    negated(
      graph,
      operand(node, graph, 1, (g) => g),
    ),
  ],
  // d(a/b) = da/b − (a/b)·db/b (3.3.4)
  Div: (node, graph) => {
    const { div, mul } = operationsOf(graph);
    const overB = (g: string) => div(g, node.inputs[1]!);
    const first = operand(node, graph, 0, overB);
    const second = operand(node, graph, 1, (g) => mul(overB(g), node.outputs[0]!));
    return [first, negated(graph, second)];
  },
  Pow,
  Max: extremum,
  Min: extremum,
};

/** Broadcasts; follows arithmetic on shapes that a graph computes. */
export const inferArithmetic: InferenceRule = (node) => {
  const elements = node.inputs.length === 2 ? computed(node) : undefined;
  return [{ type: node.given(0).type, shape: broadcastInputs(node), elements }];
};

export const arithmetic: Operators = {
  ...differentiable(GRADIENTS, (gradient) => ({ infer: inferArithmetic, gradient })),
  ...inferred('BitShift BitwiseAnd BitwiseOr BitwiseXor Mod', inferArithmetic),
  ...inferred('And Equal Greater GreaterOrEqual Less LessOrEqual Or Xor', (node) => [
    { type: 'bool', shape: broadcastInputs(node), elements: computed(node) },
  ]),
  StringConcat: { infer: (node) => [{ type: 'string', shape: broadcastInputs(node) }] },
};

/** The gradient of one operand, before it is summed over what was broadcast. */
function operand(
  node: GradientNode,
  graph: GradientGraph,
  index: number,
  contribution: (outputGradient: string) => string,
): string | undefined {
  if (!node.wants(index)) return undefined;
  return graph.unbroadcast(contribution(node.outputGradients[0]!), node.inputs[index]!);
}

/** Operands that are all treated alike. */
function each(
  contribution: (g: string, node: GradientNode, graph: GradientGraph, index: number) => string,
): GradientRule {
  return (node, graph) =>
    node.inputs.map((_, i) => operand(node, graph, i, (g) => contribution(g, node, graph, i)));
}

function negated(graph: GradientGraph, gradient: string | undefined): string | undefined {
  return gradient === undefined ? undefined : graph.emit('Neg', [gradient]);
}

/**
 * Max and Min: the gradient goes to whichever operand is the extremum, in equal parts where several
 * are: a subgradient, as in PyTorch.
 */
function extremum(node: GradientNode, graph: GradientGraph): readonly (string | undefined)[] {
  const y = node.outputs[0]!;
  if (node.inputs.length === 1) return [node.outputGradients[0]];
  const { mul, div, not, less, greater, castLike } = operationsOf(graph);
  // No operand is beyond the extremum; and before opset 11 floats could not be compared by Equal.
  const exceeds = node.opType === 'Max' ? less : greater;
  const masks = node.inputs.map((x) => castLike(not(exceeds(x, y)), y));
  const winners = graph.emit('Sum', masks);
  return node.inputs.map((_, i) => operand(node, graph, i, (g) => mul(div(g, winners), masks[i]!)));
}

/**
 * d(xᵉ) = e·xᵉ⁻¹·dx + xᵉ·ln x·de (3.3.6). As in PyTorch, the first is 0 for e = 0, and the second
 * is 0 for x = 0 and e ≥ 0, where the limit of xᵉ·ln x is 0.
 */
function Pow(node: GradientNode, graph: GradientGraph): readonly (string | undefined)[] {
  const [x, e] = [node.inputs[0]!, node.inputs[1]!];
  const { mul, where, log, castLike } = operationsOf(graph);
  return [
    operand(node, graph, 0, (g) => mul(g, powSlope(node, graph))),
    operand(node, graph, 1, (g) => {
      const zero = graph.scalar(0, x);
      const logarithm = where(isZero(graph, x), zero, log(x));
      return castLike(mul(g, mul(node.outputs[0]!, logarithm)), e);
    }),
  ];
}

/** e·xᵉ⁻¹ without a general power where the exponent is a common constant. */
function powSlope(node: GradientNode, graph: GradientGraph): string {
  const [x, e, y] = [node.inputs[0]!, node.inputs[1]!, node.outputs[0]!];
  const { mul, div, sub, square, where, castLike } = operationsOf(graph);
  const constant = node.tensor(1);
  if (constant !== undefined && constant.type !== 'string' && constant.shape.length === 0) {
    const exponent = Number(values(constant)[0]);
    if (exponent === 0) return graph.scalar(0, x);
    if (exponent === 2) return mul(x, 2);
    if (exponent === 3) return mul(square(x), 3);
    if (exponent === 0.5) return div(0.5, y);
    return mul(graph.emit('Pow', [x, graph.scalar(exponent - 1, x)]), exponent);
  }
  const exponent = castLike(e, x);
  const power = mul(exponent, graph.emit('Pow', [x, sub(exponent, 1)]));
  return where(isZero(graph, exponent), 0, power);
}

/** Before opset 11 floats could not be compared by Equal. */
function isZero(graph: GradientGraph, x: string): string {
  return graph.opset < 11
    ? graph.emit('Not', [graph.emit('Cast', [x], { to: elementTypeNumber('bool') })])
    : graph.emit('Equal', [x, graph.scalar(0, x)]);
}

function computed(node: InferenceNode): readonly Size[] | undefined {
  return elementwise(node, ([a, b]) => apply(node.opType, a!, b!));
}

/** The elements of a result, from the elements of the inputs at the same place. */
export function elementwise(
  node: InferenceNode,
  compute: (operands: readonly Size[]) => Size | undefined,
): readonly Size[] | undefined {
  const inputs = node.inputs.map((_, index) => node.given(index));
  const lists = inputs.map(({ elements }) => elements);
  if (!lists.every((list) => list !== undefined)) return undefined;
  // An empty list broadcast with one element is empty.
  const longest = lists.find((list) => list.length !== 1) ?? lists[0];
  // A damaged node may have no inputs.
  if (longest === undefined) return undefined;
  const whole = inputs.filter(({ elements }) => elements!.length !== 1);
  // A column and a row make a table of two lists.
  const shapes = new Set(whole.map(({ shape }) => shape?.join()));
  if (shapes.size > 1 || (whole.length > 1 && shapes.has(undefined))) return undefined;
  if (lists.some((list) => list.length !== 1 && list.length !== longest.length)) return undefined;
  const results = longest.map((_, i) =>
    compute(lists.map((list) => (list.length === 1 ? list[0]! : list[i]!))),
  );
  return results.every((each) => each !== undefined) ? results : undefined;
}

function apply(operator: string, a: Size, b: Size): Size | undefined {
  const isRounded = (size: Size) => typeof size === 'number' && !isExact(size);
  const compares = operator === 'Max' || operator === 'Min' || operator === 'Equal';
  if (!compares && (isRounded(a) || isRounded(b))) return undefined;
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
    case 'Mod':
      // Both signs of a remainder are the same for what is not negative.
      return typeof a === 'number' && typeof b === 'number' && a >= 0 && b > 0 ? a % b : undefined;
    case 'Equal':
      return isEqual(a, b);
    case 'Max':
      return typeof a === 'number' && typeof b === 'number' ? Math.max(a, b) : undefined;
    case 'Min':
      return typeof a === 'number' && typeof b === 'number' ? Math.min(a, b) : undefined;
    default:
      return undefined;
  }
}

/** 1 or 0. A symbol is a size, which is never negative; an expression such as `(n+-5)` may be. */
function isEqual(a: Size, b: Size): Size | undefined {
  if (a === b) return typeof a === 'string' || isExact(a) ? 1 : undefined;
  if (typeof a === 'number' && typeof b === 'number') return 0;
  const [size, number] = typeof a === 'number' ? [b, a] : [a, b];
  const isNegative = typeof number === 'number' && number < 0;
  return isNegative && !/[(-]/.test(String(size)) ? 0 : undefined;
}
