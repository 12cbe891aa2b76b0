/** Normalisations and Dropout: they keep the shape of their input. */
import { sameAsInput, type InferenceRule } from './rule.ts';

export const normalization: Readonly<Record<string, InferenceRule>> = {
  BatchNormalization: (node) => {
    const statistics = node.input(3) ?? node.given(1);
    return [node.given(0), ...node.outputs.slice(1).map(() => statistics)];
  },
  InstanceNormalization: sameAsInput,
  GroupNormalization: sameAsInput,
  RMSNormalization: sameAsInput,
  LayerNormalization: (node) => {
    const { type, shape } = node.given(0);
    const axis = node.attributeInt('axis', -1);
    const first = axis < 0 ? axis + (shape?.length ?? 0) : axis;
    const kept = shape?.map((size, i) => (i < first ? size : 1));
    const statistics = { type: 'float32', shape: kept } as const;
    return [{ type, shape }, statistics, statistics];
  },
  Dropout: (node) => {
    const { type, shape } = node.given(0);
    return [
      { type, shape },
      { type: node.opset < 10 ? type : 'bool', shape },
    ];
  },
};
