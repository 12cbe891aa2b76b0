/** Recurrent layers: x [length, batch, inputs], or [batch, length, inputs] with layout 1. */
import type { InferenceNode, InferenceRule } from './rule.ts';

export const recurrent: Readonly<Record<string, InferenceRule>> = {
  LSTM: layer,
  GRU: layer,
  RNN: layer,
};

function layer(node: InferenceNode): ReturnType<InferenceRule> {
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
}
