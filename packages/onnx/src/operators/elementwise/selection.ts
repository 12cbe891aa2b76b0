/**
 * Operators that let an element through or replace it: the gradient goes to what was let through, as
 * in PyTorch.
 */
import type { GradientGraph, GradientNode, GradientRule } from '../../gradient/rule.ts';
import { broadcastInputs } from '../../infer/broadcast.ts';
import { sameAsInput, type InferenceRule } from '../../infer/rule.ts';
import { values } from '../../tensor/tensor.ts';
import type { Operators } from '../operator.ts';
import { elementwise, inferArithmetic } from './arithmetic.ts';
import { operationsOf } from './operations.ts';

/** PyTorch replaces the −1 of `expand(-1, 5)` by Where in lists of sizes. */
const inferWhere: InferenceRule = (node) => {
  const elements = elementwise(node, ([condition, yes, no]) =>
    typeof condition === 'number' ? (condition === 0 ? no : yes) : undefined,
  );
  return [{ type: node.given(1).type, shape: broadcastInputs(node), elements }];
};

/** The gradient goes to the side that was chosen; the condition has none. */
const Where: GradientRule = (node, graph) => {
  const [condition, g] = [node.inputs[0]!, node.outputGradients[0]!];
  const zero = graph.scalar(0, g);
  const side = (index: number, yes: string, no: string) =>
    node.wants(index)
      ? graph.unbroadcast(graph.emit('Where', [condition, yes, no]), node.inputs[index]!)
      : undefined;
  return [undefined, side(1, g, zero), side(2, zero, g)];
};

/**
 * dy where min ≤ x ≤ max, borders included; a bound gets the gradients of the elements that it
 * replaced. Bounds are attributes before opset 11.
 */
const Clip: GradientRule = (node, graph) => {
  const [x, g] = [node.inputs[0]!, node.outputGradients[0]!];
  const zero = graph.scalar(0, x);
  const [low, high] = [bound(node, graph, 1, 'min'), bound(node, graph, 2, 'max')];
  const below = low === undefined ? undefined : graph.emit('Less', [x, low]);
  const above = high === undefined ? undefined : graph.emit('Greater', [x, high]);
  const outside = [below, above].filter((each) => each !== undefined);
  const replaced = (index: number, mask: string | undefined) =>
    mask !== undefined && node.wants(index)
      ? graph.unbroadcast(graph.emit('Where', [mask, g, zero]), node.inputs[index]!)
      : undefined;
  let inner: string | undefined;
  if (node.wants(0)) {
    inner = g;
    for (const mask of outside) inner = graph.emit('Where', [mask, zero, inner]);
  }
  return [inner, replaced(1, below), replaced(2, above)];
};

function bound(
  node: GradientNode,
  graph: GradientGraph,
  index: number,
  attribute: string,
): string | undefined {
  if (graph.opset >= 11) return node.hasInput(index) ? node.inputs[index] : undefined;
  if (!node.has(attribute)) return undefined;
  return graph.scalar(node.attributeFloat(attribute), node.inputs[0]!);
}

/** 1 where x > 0, else the slope of that channel, which itself gets Σ x·dy where x < 0 (He et al., 2015). */
const PRelu: GradientRule = (node, graph) => {
  const g = node.outputGradients[0]!;
  const [x, slope] = [node.inputs[0]!, node.inputs[1]!];
  const { greater, where, mul } = operationsOf(graph);
  const above = greater(x, 0);
  return [
    node.wants(0) ? where(above, g, mul(g, slope)) : undefined,
    node.wants(1) ? graph.unbroadcast(where(above, 0, mul(g, x)), slope) : undefined,
  ];
};

/** Ratio when no input gives one. */
const RATIO = 0.5;

/**
 * Dropout: Y = X · mask / (1 − ratio) while training, else Y = X. The mask is the one that the
 * forward node drew (Srivastava et al., 2014).
 */
const Dropout: GradientRule = (node, graph) => {
  const dy = node.outputGradients[0]!;
  const [x, ratio = '', training = ''] = node.inputs as [string, string?, string?];
  // Before opset 12 Dropout has no training form, and without the input it is not in it.
  if (graph.opset < 12 || training === '') return [dy];
  const mode = node.tensor(2);
  if (mode !== undefined && mode.type === 'bool' && values(mode)[0] === 0) return [dy];
  const { mul, div, sub, where, castLike } = operationsOf(graph);
  const kept = mul(dy, castLike(node.demand(1), x));
  if (ratio === '' && mode !== undefined) return [div(kept, 1 - RATIO)];
  const share =
    ratio === '' ? graph.scalar(1 - RATIO, x) : sub(graph.scalar(1, x), castLike(ratio, x));
  const scaled = div(kept, share);
  return [mode === undefined ? where(training, scaled, dy) : scaled];
};

/** The mask that Dropout drew was a number until opset 10. */
const inferDropout: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  return [
    { type, shape },
    { type: node.opset < 10 ? type : 'bool', shape },
  ];
};

export const selection: Operators = {
  Where: {
    infer: inferWhere,
    gradient: Where,
  },
  Clip: { infer: sameAsInput, gradient: Clip },
  // Before version 7, one slope belonged to one channel, which is no broadcast.
  PRelu: {
    infer: (node) => (node.opset < 7 ? sameAsInput(node) : inferArithmetic(node)),
    gradient: PRelu,
  },
  Dropout: { infer: inferDropout, gradient: Dropout },
};
