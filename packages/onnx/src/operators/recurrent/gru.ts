/**
 * GRU: h' = (1 − z) · n + z · h, with gates z, r (sigmoid) and n = tanh(W x + r · (R h + b)), where
 * the reset gate is applied after the product (`linear_before_reset`, as PyTorch has it) or to h
 * before it. Cho et al. (2014), in the form of the ONNX specification.
 */
import type { GradientGraph, GradientNode, GradientRule } from '../../gradient/rule.ts';
import { inferred, type Operators } from '../operator.ts';
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

const gradient: GradientRule = (node, graph) =>
  recurrentGradient(node, graph, ['Sigmoid', 'Tanh'], (direction) =>
    backThroughTime(node, graph, direction),
  );

function backThroughTime(
  node: GradientNode,
  graph: GradientGraph,
  direction: Direction,
): DirectionGradients {
  const { x, w, r: weights, biases, before, order, hidden, dSteps, dLast } = direction;
  const steps = order.length;
  const resetsAfter = node.attributeInt('linear_before_reset', 0) !== 0;
  const mul = (a: string, b: string) => graph.emit('Mul', [a, b]);
  const add = (a: string, b: string) => graph.emit('Add', [a, b]);
  const matmul = (a: string, b: string) => graph.emit('MatMul', [a, b]);
  const joined = (list: readonly string[], axis = 0) => graph.concat(list, axis);
  const split = (value: string) => parts(graph, value, 0, steps, 1);
  const three = (value: string, axis: number) =>
    parts(graph, value, axis, 3, hidden) as [string, string, string];

  // The forward pass again, of all steps at once: every state is known.
  const [xz, xr, xn] = three(affine(graph, x, w, biases?.[0]), 2);
  const [wz, wr, wn] = three(weights, 0);
  const [bz, br, bn] = biases === undefined ? [] : three(biases[1], 0);
  const z = graph.emit('Sigmoid', [add(xz, affine(graph, before, wz, bz))]);
  const r = graph.emit('Sigmoid', [add(xr, affine(graph, before, wr, br))]);
  const kept = mul(r, before);
  const inner = resetsAfter ? affine(graph, before, wn, bn) : affine(graph, kept, wn, bn);
  const n = graph.emit('Tanh', [add(xn, resetsAfter ? mul(r, inner) : inner)]);
  // Factors of the gradient of each step.
  const slope = (sigmoid: string) => mul(sigmoid, complement(graph, sigmoid));
  const toZ = split(mul(graph.emit('Sub', [before, n]), slope(z)));
  const toN = split(mul(complement(graph, z), complement(graph, mul(n, n))));
  const toR = split(mul(resetsAfter ? inner : before, slope(r)));
  const [zs, rs] = [split(z), split(r)];

  const dInputs: string[] = [];
  const dStates: string[] = [];
  let dh = dLast;
  for (const t of [...order].reverse()) {
    const here = dSteps?.[t];
    const dState = (here === undefined ? dh : dh === undefined ? here : add(here, dh))!;
    const dZ = mul(dState, toZ[t]!);
    const dN = mul(dState, toN[t]!);
    const direct = mul(dState, zs[t]!);
    if (resetsAfter) {
      const dR = mul(dN, toR[t]!);
      dInputs[t] = joined([dZ, dR, dN], 2);
      dStates[t] = joined([dZ, dR, mul(dN, rs[t]!)], 2);
      dh = add(direct, matmul(dStates[t], weights));
    } else {
      const dKept = matmul(dN, wn);
      const dR = mul(dKept, toR[t]!);
      dInputs[t] = joined([dZ, dR, dN], 2);
      dStates[t] = dInputs[t];
      const throughGates = add(matmul(dZ, wz), matmul(dR, wr));
      dh = add(add(direct, mul(dKept, rs[t]!)), throughGates);
    }
  }
  const dState = joined(dStates);
  return {
    dInput: joined(dInputs),
    dState,
    dR: resetsAfter ? outerProduct(graph, dState, before, hidden) : byGate(dState),
    dInitial: [dh!],
  };

  /** The weights of n read what the reset gate kept of the state. */
  function byGate(gradient: string): string {
    const [dZ, dR, dN] = three(gradient, 2);
    const outer = (each: string, value: string) => outerProduct(graph, each, value, hidden);
    return joined([outer(dZ, before), outer(dR, before), outer(dN, kept)]);
  }
}

export const gru: Operators = {
  GRU: { infer: inferRecurrent, gradient },
  ...inferred('RNN', inferRecurrent),
};
