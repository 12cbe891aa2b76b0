/**
 * ONNX operators as functions of value names, so that a rule reads as its formula: `mul(g, cos(x))`.
 *
 * A number stands for a constant in the element type of the other operand. Each call writes its
 * node at once: nodes are in the order in which JavaScript evaluates the expression.
 */
import { elementTypeNumber } from '../../tensor/element-type.ts';
import type { GradientGraph } from '../../gradient/rule.ts';

type Operand = string | number;

export type Operations = ReturnType<typeof operationsOf>;

export function operationsOf(graph: GradientGraph) {
  const unary = (opType: string) => (x: string) => graph.emit(opType, [x]);
  const named = (operand: Operand, other: Operand) =>
    typeof operand === 'string' ? operand : graph.scalar(operand, other as string);
  const binary = (opType: string) => (a: Operand, b: Operand) =>
    graph.emit(opType, [named(a, b), named(b, a)]);
  const where = (condition: string, yes: Operand, no: Operand) =>
    graph.emit('Where', [condition, named(yes, no), named(no, yes)]);
  const [greater, mul] = [binary('Greater'), binary('Mul')];
  return {
    abs: unary('Abs'),
    cos: unary('Cos'),
    cosh: unary('Cosh'),
    erf: unary('Erf'),
    exp: unary('Exp'),
    log: unary('Log'),
    neg: unary('Neg'),
    not: unary('Not'),
    sigmoid: unary('Sigmoid'),
    sign: unary('Sign'),
    sin: unary('Sin'),
    sinh: unary('Sinh'),
    softplus: unary('Softplus'),
    sqrt: unary('Sqrt'),
    tanh: unary('Tanh'),
    square: (x: string) => mul(x, x),
    add: binary('Add'),
    and: binary('And'),
    div: binary('Div'),
    greater,
    less: binary('Less'),
    mul,
    sub: binary('Sub'),
    where,
    ifPositive: (x: string, yes: Operand, no: Operand) => where(greater(x, 0), yes, no),
    /** A value in the element type of another. */
    castLike: (x: string, like: string) =>
      graph.emit('Cast', [x], { to: elementTypeNumber(graph.typeOf(like)) }),
  };
}
