/**
 * LSTM: c' = f · c + i · g and h' = o · tanh(c'), with gates i, o, f (sigmoid) and g (tanh) that are
 * affine in the input and the state. Hochreiter and Schmidhuber (1997), in the form of the ONNX
 * specification.
 */
import type { GradientGraph, GradientNode, GradientRule } from '../../gradient/rule.ts';
import type { Operators } from '../operator.ts';
import {
  affine,
  complement,
  inferRecurrent,
  outerProduct,
  parts,
  recurrentGradient,
  type Direction,
  type DirectionGradients,
} from './recurrent.ts';
import { slice } from '../layout/slicing.ts';

const gradient: GradientRule = (node, graph) =>
  recurrentGradient(node, graph, ['Sigmoid', 'Tanh', 'Tanh'], (direction, index) =>
    backThroughTime(node, graph, direction, index),
  );

function backThroughTime(
  node: GradientNode,
  graph: GradientGraph,
  direction: Direction,
  index: number,
): DirectionGradients {
  const { x, w, r, biases, before, order, hidden, dSteps, dLast } = direction;
  const steps = order.length;
  const mul = (a: string, b: string) => graph.emit('Mul', [a, b]);
  const add = (a: string, b: string) => graph.emit('Add', [a, b]);
  const joined = (list: readonly string[]) => graph.concat(list, 0);
  const split = (value: string) => parts(graph, value, 0, steps, 1);

  // The forward pass again: gates of all steps at once, cells one after another.
  const sums = add(affine(graph, x, w, biases?.[0]), affine(graph, before, r, biases?.[1]));
  const [preI, preO, preF, preG] = parts(graph, sums, 2, 4, hidden) as [
    string,
    string,
    string,
    string,
  ];
  const [i, o, f] = [preI, preO, preF].map((each) => graph.emit('Sigmoid', [each])) as [
    string,
    string,
    string,
  ];
  const g = graph.emit('Tanh', [preG]);
  const candidates = split(mul(i, g));
  const forgetGates = split(f);
  const given = node.inputs[6] ?? '';
  const first =
    given === ''
      ? graph.zeros(candidates[0]!)
      : slice(graph, given, [{ axis: 0, start: index, end: index + 1 }]);
  const cells: string[] = [];
  const cellsBefore: string[] = [];
  let cell = first;
  for (const t of order) {
    cellsBefore[t] = cell;
    cell = add(mul(forgetGates[t]!, cell), candidates[t]!);
    cells[t] = cell;
  }
  // Factors of the gradient of each step, for all steps at once.
  const tanh = graph.emit('Tanh', [joined(cells)]);
  const slope = (sigmoid: string) => mul(sigmoid, complement(graph, sigmoid));
  const toCell = split(mul(o, complement(graph, mul(tanh, tanh))));
  const toO = split(mul(tanh, slope(o)));
  const toI = split(mul(g, slope(i)));
  const toF = split(mul(joined(cellsBefore), slope(f)));
  const toG = split(mul(i, complement(graph, mul(g, g))));

  const dGates: string[] = [];
  const dLastCell = node.outputGradients[2];
  let dh = dLast;
  let dc =
    dLastCell === undefined
      ? undefined
      : slice(graph, dLastCell, [{ axis: 0, start: index, end: index + 1 }]);
  for (const t of [...order].reverse()) {
    const here = dSteps?.[t];
    const dState = here === undefined ? dh : dh === undefined ? here : add(here, dh);
    const through = dState === undefined ? undefined : mul(dState, toCell[t]!);
    const dCell = (through === undefined ? dc : dc === undefined ? through : add(dc, through))!;
    const dO = dState === undefined ? graph.zeros(toO[t]!) : mul(dState, toO[t]!);
    const gates = [mul(dCell, toI[t]!), dO, mul(dCell, toF[t]!), mul(dCell, toG[t]!)];
    dGates[t] = graph.concat(gates, 2);
    dh = graph.emit('MatMul', [dGates[t], r]);
    dc = mul(dCell, forgetGates[t]!);
  }
  const all = joined(dGates);
  return {
    dInput: all,
    dState: all,
    dR: outerProduct(graph, all, before, hidden),
    dInitial: [dh!, dc!],
  };
}

export const lstm: Operators = {
  LSTM: { infer: inferRecurrent, gradient },
};
