/**
 * Y = A·B: dA = dY·Bᵀ, dB = Aᵀ·dY (Giles, Collected Matrix Derivative Results, 2008, §2.2.2).
 * Written as Gemm wherever the factors are matrices, whose transposition is then free.
 */
import type { GradientGraph, GradientNode, GradientRule } from '../rule.ts';
import { gemm } from '../shared/gemm.ts';

export const MatMul: GradientRule = (node, graph) => {
  const [a, b] = [node.inputs[0]!, node.inputs[1]!];
  const ranks = [graph.rankOf(a), graph.rankOf(b)] as const;
  if (ranks[1] === 2 && ranks[0] >= 2) return timesMatrix(node, graph, ranks[0]);
  return batched(node, graph, ...ranks);
};

/** [..., n, k] · [k, m]: every leading axis is just more rows. */
function timesMatrix(node: GradientNode, graph: GradientGraph, rank: number) {
  const [a, b] = [node.inputs[0]!, node.inputs[1]!];
  const g = rows(graph, node.outputGradients[0]!, rank);
  const left = node.wants(0)
    ? graph.reshapeLike(gemm(graph, g, b, { transB: true }), a)
    : undefined;
  const right = node.wants(1)
    ? graph.reshapeLike(gemm(graph, rows(graph, a, rank), g, { transA: true }), b)
    : undefined;
  return [left, right];
}

/** A tensor as a matrix of its last axis. */
function rows(graph: GradientGraph, name: string, rank: number): string {
  if (rank === 2) return name;
  const width = graph.shapeOf(name)?.at(-1);
  if (typeof width === 'number' && width > 0) {
    return graph.emit('Reshape', [name, graph.ints([-1, width])]);
  }
  return graph.emit('Flatten', [name], { axis: rank - 1 });
}

/** The general product, with leading axes that are broadcast and vectors on either side. */
function batched(node: GradientNode, graph: GradientGraph, rankA: number, rankB: number) {
  const [a, b] = [node.inputs[0]!, node.inputs[1]!];
  const matrixA = rankA === 1 ? graph.unsqueeze(a, [0]) : a;
  const matrixB = rankB === 1 ? graph.unsqueeze(b, [1]) : b;
  let g = node.outputGradients[0]!;
  if (rankB === 1) g = graph.unsqueeze(g, [-1]);
  if (rankA === 1) g = graph.unsqueeze(g, [-2]);
  const left = node.wants(0)
    ? graph.unbroadcast(graph.emit('MatMul', [g, transposed(graph, matrixB)]), matrixA)
    : undefined;
  const right = node.wants(1)
    ? graph.unbroadcast(graph.emit('MatMul', [transposed(graph, matrixA), g]), matrixB)
    : undefined;
  return [
    left === undefined ? undefined : graph.reshapeLike(left, a),
    right === undefined ? undefined : graph.reshapeLike(right, b),
  ];
}

function transposed(graph: GradientGraph, name: string): string {
  const rank = graph.rankOf(name);
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  perm.splice(-2, 2, rank - 1, rank - 2);
  return graph.emit('Transpose', [name], { perm });
}
