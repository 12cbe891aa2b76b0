/**
 * Products of matrices: for Y = A·B, dA = dY·Bᵀ and dB = Aᵀ·dY (Giles, Collected Matrix Derivative
 * Results, 2008, §2.2.2). Written as Gemm wherever the factors are matrices: there transposing is free.
 */
import { float } from '../../attribute.ts';
import { filled } from '../graph-writer.ts';
import type { GradientGraph, GradientNode, GradientRule, GradientRules } from '../rule.ts';

const MatMul: GradientRule = (node, graph) => {
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

/** Y = α·A′·B′ + β·C, where A′ and B′ are A and B, transposed when asked; dC = β·dY summed over what was broadcast. */
const Gemm: GradientRule = (node, graph) => {
  const [a, b, c = ''] = node.inputs as [string, string, string?];
  const g = node.outputGradients[0]!;
  const alpha = node.attributeFloat('alpha', 1);
  const beta = node.attributeFloat('beta', 1);
  const transA = node.attributeInt('transA', 0) !== 0;
  const transB = node.attributeInt('transB', 0) !== 0;
  let left: string | undefined;
  if (node.wants(0)) {
    left = transA
      ? gemm(graph, b, g, { transA: transB, transB: true, alpha })
      : gemm(graph, g, b, { transB: !transB, alpha });
  }
  let right: string | undefined;
  if (node.wants(1)) {
    right = transB
      ? gemm(graph, g, a, { transA: true, transB: transA, alpha })
      : gemm(graph, a, g, { transA: !transA, alpha });
  }
  if (!node.wants(2)) return [left, right];
  const sum = sumOfRows(graph, g, c);
  return [left, right, graph.emit('Mul', [sum, graph.scalar(beta, sum)])];
};

/**
 * What a bias of [columns] gets of [rows, columns]: a product with ones, which ONNX Runtime does in
 * half the time of its ReduceSum, 5 µs instead of 12 µs for [100, 200].
 */
function sumOfRows(graph: GradientGraph, g: string, bias: string): string {
  const [rows] = graph.shapeOf(g) ?? [];
  const isPlain = graph.rankOf(bias) === 1 && graph.shapeOf(bias)![0] === graph.shapeOf(g)?.[1];
  if (!isPlain || typeof rows !== 'number') return graph.unbroadcast(g, bias);
  return graph.emit('MatMul', [graph.constant(filled(graph.typeOf(g), [rows], 1)), g]);
}

/** A product of two matrices, whose transposition is free in Gemm. */
function gemm(
  graph: GradientGraph,
  a: string,
  b: string,
  {
    transA = false,
    transB = false,
    alpha = 1,
  }: { transA?: boolean; transB?: boolean; alpha?: number },
): string {
  return graph.emit(
    'Gemm',
    // Before opset 11 the third input could not be left out.
    graph.opset < 11 ? [a, b, graph.scalar(0, a)] : [a, b],
    {
      ...(transA ? { transA: 1 } : {}),
      ...(transB ? { transB: 1 } : {}),
      ...(alpha === 1 ? {} : { alpha: float(alpha) }),
    },
  );
}

export const matmul: GradientRules = { Gemm, MatMul };
