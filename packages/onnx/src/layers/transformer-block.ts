/**
 * One block of a transformer that normalises first (Xiong et al., 2020): attention and a perceptron,
 * each on a path of its own beside x. [batch, length, width] keeps its shape.
 */
import { attention, type AttentionOptions } from './attention.ts';
import { dense } from './dense.ts';
import { flow, residual } from './flow.ts';
import type { Layer } from './layer.ts';
import { layerNorm } from './norm.ts';
import { dropout } from './shape.ts';

export interface TransformerBlockOptions extends AttentionOptions {
  /** Width of the perceptron's middle. Default: four times the width. */
  readonly hidden?: number;
  /** Probability of dropping an element at the end of each path. Default 0. */
  readonly drop?: number;
}

export function transformerBlock({ hidden, drop = 0, ...heads }: TransformerBlockOptions): Layer {
  return (scope, x) => {
    const width = x.shape.at(-1) ?? 0;
    const end = drop > 0 ? [dropout(drop)] : [];
    return flow(scope, x, [
      residual(layerNorm(), attention(heads), ...end),
      residual(
        layerNorm(),
        dense({ units: hidden ?? 4 * width, activation: 'gelu' }),
        dense({ units: width }),
        ...end,
      ),
    ]);
  };
}
