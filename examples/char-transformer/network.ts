/** A small transformer that predicts the next character at every place: the decoder of GPT-2 in eight lines. */
import {
  dense,
  embedding,
  layerNorm,
  positions,
  sequential,
  transformerBlock,
  type Dimension,
  type Model,
} from '@skein/onnx';

export interface Size {
  /** Characters that it sees at once. */
  readonly length: number;
  readonly width: number;
  readonly heads: number;
  readonly blocks: number;
}

export const SIZE: Size = { length: 64, width: 64, heads: 4, blocks: 2 };

/** `text` int64 [batch, length] → `logits` [batch, length, vocabulary]. */
export function characterModel(
  vocabulary: number,
  { length, width, heads, blocks }: Size,
  { seed, batch = 'batch' }: { readonly seed: number; readonly batch?: Dimension },
): Model {
  return sequential({
    input: { name: 'text', type: 'int64', shape: [length] },
    layers: [
      embedding({ vocabulary, width }),
      positions(),
      ...Array.from({ length: blocks }, () => transformerBlock({ heads, causal: true })),
      layerNorm(),
      dense({ units: vocabulary }),
    ],
    output: 'logits',
    seed,
    batch,
  });
}
