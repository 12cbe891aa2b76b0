/**
 * Whether a runtime's kernels saturate: AVX2 without VNNI adds two products of 8 bits in 16, which
 * 255 · 127 · 2 exceeds. Weights of 7 bits stay below.
 *
 * The answer is for the processor that this runs on. It is measured, because the flags of a
 * processor do not determine which kernel a runtime takes.
 */
import { GraphBuilder } from '../model/builder.ts';
import type { Model } from '../model/model.ts';
import { tensor, values, type NumericTensor } from '../tensor/tensor.ts';
import { withOpen, type Evaluator } from './evaluator.ts';
import { quantise } from './rewrite.ts';

const INPUTS = 64;
const OUTPUTS = 16;

export async function saturates(evaluator: Evaluator): Promise<boolean> {
  const feeds = new Map([
    ['x', tensor('float32', [1, INPUTS], new Float32Array(INPUTS).fill(255))],
  ]);
  const outputs = await withOpen(evaluator, extremes(), (open) => open.run(feeds));
  const sums = values(outputs.get('y') as NumericTensor);
  return sums.some((sum) => Math.abs(Number(sum) / (255 * 127 * INPUTS) - 1) > 0.01);
}

/** A static product of the largest integers of both operands. */
function extremes(): Model {
  const graph = new GraphBuilder('extremes');
  const weights = new Float32Array(INPUTS * OUTPUTS).fill(127);
  graph.input('x', 'float32', [1, INPUTS]);
  const w = graph.initializer('w', tensor('float32', [INPUTS, OUTPUTS], weights));
  const bias = graph.initializer('b', tensor('float32', [OUTPUTS], new Float32Array(OUTPUTS)));
  graph.node('Gemm', ['x', w, bias], {}, { outputs: ['y'], name: 'product' });
  graph.output('y', 'float32', [1, OUTPUTS]);
  const ranges = new Map([['x', { low: 0, high: 255 }]]);
  return quantise(graph.model(), new Map([['product', 'static']]), { ranges });
}
