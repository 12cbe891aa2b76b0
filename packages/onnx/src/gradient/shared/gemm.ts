/** A product of two matrices, whose transposition is free in Gemm. */
import { float } from '../../attribute.ts';
import type { GradientGraph } from '../rule.ts';

export interface GemmOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
}

export function gemm(
  graph: GradientGraph,
  a: string,
  b: string,
  { transA = false, transB = false, alpha = 1 }: GemmOptions,
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
