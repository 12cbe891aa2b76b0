/**
 * The common part of LSTM and GRU: backpropagation through time over a sequence of fixed length,
 * one direction at a time. The node returns the state after every step, so the gates of all steps
 * are recomputed in one product each; only the dependency from step to step is unrolled.
 *
 * Values of a direction are in the order of time, [steps, batch, ...]; single steps keep their axis.
 */
import type { GradientGraph, GradientNode } from '../../gradient/rule.ts';
import type { InferenceRule } from '../../infer/rule.ts';
import { slice } from '../layout/slicing.ts';

/** Every step is some twenty nodes. */
const MOST_STEPS = 2048;

export interface Direction {
  readonly x: string; // [steps, batch, inputs]
  /** Weights of the gates, one after another. */
  readonly w: string; // [gates · hidden, inputs]
  readonly r: string; // [gates · hidden, hidden]
  /** Biases of the inputs and of the state. */
  readonly biases: readonly [string, string] | undefined; // [gates · hidden]
  /** The state before each step. */
  readonly before: string; // [steps, batch, hidden]
  /** Steps in the order in which they are taken. */
  readonly order: readonly number[];
  readonly hidden: number;
  /** Gradient with respect to the state after each step, and after the last. */
  readonly dSteps: readonly string[] | undefined; // [1, batch, hidden]
  readonly dLast: string | undefined; // [1, batch, hidden]
}

/** Gradients of one direction; weights and states without their axis of directions. */
export interface DirectionGradients {
  /** Gradients of the gates before their activation, as the inputs and as the state see them. */
  readonly dInput: string; // [steps, batch, gates · hidden]
  readonly dState: string; // [steps, batch, gates · hidden]
  readonly dR: string; // [gates · hidden, hidden]
  /** With respect to the initial state, and the initial cell of an LSTM. */
  readonly dInitial: readonly string[]; // [1, batch, hidden]
}

/** x [length, batch, inputs], or [batch, length, inputs] with layout 1. */
export const inferRecurrent: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  const hidden = node.has('hidden_size')
    ? node.attributeInt('hidden_size')
    : node.given(2).shape?.at(-1);
  if (shape?.length !== 3 || hidden === undefined) {
    return [1, 2, 3].map(() => ({ type, shape: undefined }));
  }
  const directions = node.attributeString('direction', 'forward') === 'bidirectional' ? 2 : 1;
  const batchFirst = node.attributeInt('layout', 0) !== 0;
  const [length, batch] = batchFirst ? [shape[1]!, shape[0]!] : [shape[0]!, shape[1]!];
  const sequence = batchFirst
    ? [batch, length, directions, hidden]
    : [length, directions, batch, hidden];
  const last = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
  return [sequence, last, last].map((each) => ({ type, shape: each }));
};

type Walk = (direction: Direction, index: number) => DirectionGradients;

/** Gradients of X, W, R, B, sequence_lens, initial_h and initial_c. */
export function recurrentGradient(
  node: GradientNode,
  graph: GradientGraph,
  activations: readonly string[],
  walk: Walk,
): readonly (string | undefined)[] {
  refuseVariants(node, graph, activations);
  const [x, w] = node.inputs as [string, string];
  const count = node.attributeString('direction', 'forward') === 'bidirectional' ? 2 : 1;
  const inputs = graph.shapeOf(w)?.[2];
  if (typeof inputs !== 'number') return graph.fail('the shape of its weights is not fixed');
  const walked = Array.from({ length: count }, (_, index) => {
    const direction = directionOf(node, graph, index);
    return { direction, found: walk(direction, index) };
  });
  const stacked = (of: (each: (typeof walked)[number]) => string) => {
    const parts = walked.map((each) => graph.unsqueeze(of(each), [0]));
    return graph.concat(parts, 0);
  };
  const initial = (index: number) =>
    graph.concat(
      walked.map(({ found }) => found.dInitial[index]!),
      0,
    );
  const sum = (value: string) => graph.reduceSum(value, [0, 1], false);
  return [
    node.wants(0)
      ? walked
          .map(({ direction, found }) => graph.emit('MatMul', [found.dInput, direction.w]))
          .reduce((a, b) => graph.emit('Add', [a, b]))
      : undefined,
    node.wants(1)
      ? stacked(({ found }) => outerProduct(graph, found.dInput, x, inputs))
      : undefined,
    node.wants(2) ? stacked(({ found }) => found.dR) : undefined,
    node.wants(3)
      ? stacked(({ found }) => graph.concat([sum(found.dInput), sum(found.dState)], 0))
      : undefined,
    undefined,
    node.wants(5) ? initial(0) : undefined,
    node.wants(6) ? initial(1) : undefined,
  ];
}

/** Σ over steps and batch of gradientᵀ · value: [steps, batch, m], [steps, batch, n] → [m, n]. */
export function outerProduct(
  graph: GradientGraph,
  gradient: string,
  value: string,
  size: number,
): string {
  const rows = graph.shapeOf(gradient)?.[2];
  const flat = (of: string, width: number) => graph.reshape(of, [-1, width]);
  if (typeof rows !== 'number') return graph.fail('the size of its gates is not fixed');
  const [left, right] = [flat(gradient, rows), flat(value, size)];
  // Gemm does without a bias since opset 11.
  return graph.opset >= 11
    ? graph.emit('Gemm', [left, right], { transA: 1 })
    : graph.emit('MatMul', [graph.emit('Transpose', [left], { perm: [1, 0] }), right]);
}

/** value · weightsᵀ + bias: [steps, batch, n] → [steps, batch, m]. */
export function affine(
  graph: GradientGraph,
  value: string,
  weights: string,
  bias: string | undefined,
): string {
  const turned = graph.emit('Transpose', [weights], { perm: [1, 0] });
  const product = graph.emit('MatMul', [value, turned]);
  return bias === undefined ? product : graph.emit('Add', [product, bias]);
}

/** Even parts along an axis of a fixed size. */
export function parts(
  graph: GradientGraph,
  value: string,
  axis: number,
  count: number,
  size: number,
): readonly string[] {
  if (count === 1) return [value];
  const sizes = Array.from({ length: count }, () => size);
  return graph.opset >= 13
    ? graph.emitAll('Split', [value, graph.ints(sizes)], { axis }, count)
    : graph.emitAll('Split', [value], { axis, split: sizes }, count);
}

/** Entry `index` of an axis, which goes. */
function entry(graph: GradientGraph, value: string, axis: number, index: number): string {
  return graph.squeeze(slice(graph, value, [{ axis, start: index, end: index + 1 }]), [axis]);
}

/** One minus a value. */
export function complement(graph: GradientGraph, value: string): string {
  return graph.emit('Sub', [graph.scalar(1, value), value]);
}

function directionOf(node: GradientNode, graph: GradientGraph, index: number): Direction {
  const [x, w, r, b = '', , initial = ''] = node.inputs as [string, string, string, ...string[]];
  const hidden = node.attributeInt('hidden_size');
  const steps = graph.shapeOf(x)?.[0];
  if (typeof steps !== 'number') return graph.fail('the length of its sequences is not fixed');
  const reversed = node.attributeString('direction', 'forward') === 'reverse' || index === 1;
  if (steps > MOST_STEPS)
    graph.fail(`its sequences of ${steps} steps are longer than ${MOST_STEPS}`);
  const times = Array.from({ length: steps }, (_, step) => step);
  const states = entry(graph, node.demand(0), 1, index); // [steps, batch, hidden]
  const part = (value: string) => slice(graph, value, [{ axis: 0, start: index, end: index + 1 }]);
  const others = slice(graph, states, [
    reversed ? { axis: 0, start: 1, end: steps } : { axis: 0, start: 0, end: steps - 1 },
  ]);
  const one = slice(graph, states, [{ axis: 0, start: 0, end: 1 }]);
  const first = initial === '' ? graph.zeros(one) : part(initial); // [1, batch, hidden]
  const both = reversed ? [others, first] : [first, others];
  const before = steps === 1 ? first : graph.concat(both, 0);
  const bias = b === '' ? undefined : entry(graph, b, 0, index);
  const [dY, dLast] = node.outputGradients;
  const gates = graph.shapeOf(w)?.[1];
  if (typeof gates !== 'number') return graph.fail('the shape of its weights is not fixed');
  const biases = bias === undefined ? undefined : parts(graph, bias, 0, 2, gates);
  return {
    x,
    w: entry(graph, w, 0, index),
    r: entry(graph, r, 0, index),
    biases: biases as [string, string] | undefined,
    before,
    order: reversed ? times.reverse() : times,
    hidden,
    dSteps: dY === undefined ? undefined : parts(graph, entry(graph, dY, 1, index), 0, steps, 1),
    dLast: dLast === undefined ? undefined : part(dLast),
  };
}

function refuseVariants(
  node: GradientNode,
  graph: GradientGraph,
  activations: readonly string[],
): void {
  if (node.hasInput(4)) graph.fail('its sequences have lengths of their own');
  if (node.hasInput(7)) graph.fail('it has peepholes');
  if (node.attributeInt('layout', 0) !== 0) graph.fail('its layout puts the batch first');
  if (node.has('clip')) graph.fail('it clips');
  if (node.attributeInt('input_forget', 0) !== 0) graph.fail('it couples its gates');
  const named = node.attributeStrings('activations', []);
  if (named.some((name, i) => name !== activations[i % activations.length])) {
    graph.fail(`its activations are ${named.join(', ')}`);
  }
}
