/** Losses as operators: scores [batch, classes, …] and labels [batch, …]. */
import type { InferenceNode, InferenceRule } from './rule.ts';
import type { Size } from './size.ts';

export const losses: Readonly<Record<string, InferenceRule>> = {
  NegativeLogLikelihoodLoss: (node) => [{ type: node.given(0).type, shape: reduced(node) }],
  SoftmaxCrossEntropyLoss: (node) => {
    const { type, shape } = node.given(0);
    return [
      { type, shape: reduced(node) },
      { type, shape },
    ];
  },
};

function reduced(node: InferenceNode): readonly Size[] | undefined {
  return node.attributeString('reduction', 'mean') === 'none' ? node.given(1).shape : [];
}
