/** Gradients compared with PyTorch's, see `testing/pytorch-oracle.ts`. */
import { describe, expect, it } from 'vitest';
import { casesOf, flawsOf, KINDS, modelOf } from './testing/pytorch-oracle.ts';

/** Operators with a documented gradient, each compared with PyTorch separately. */
const PROMISED = `
  Add Sub Mul Div Neg Abs Pow Sqrt Exp Log Sin Cos Erf Tanh Sigmoid Relu LeakyRelu Elu Selu Gelu Softplus
  HardSigmoid HardSwish Clip Min Max Where Cast Identity MatMul Gemm Einsum Conv ConvTranspose MaxPool
  AveragePool GlobalAveragePool GlobalMaxPool BatchNormalization InstanceNormalization LayerNormalization
  GroupNormalization Dropout Softmax LogSoftmax ReduceSum ReduceMean ReduceMax ReduceMin ReduceLogSumExp
  ReduceL2 Reshape Flatten Transpose Squeeze Unsqueeze Concat Split Slice Pad Expand Tile Gather
  GatherElements GatherND ScatterND Resize LSTM GRU`
  .trim()
  .split(/\s+/);

it('has a case of its own for every documented operator', () => {
  const found = new Set(
    ['single', 'operators'].flatMap((kind) =>
      casesOf(kind).flatMap((name) => {
        const { node } = modelOf(kind, name).graph!;
        return node.map(({ opType }) => opType);
      }),
    ),
  );
  expect(PROMISED.filter((operator) => !found.has(operator))).toEqual([]);
});

describe.each(KINDS)('%s', (kind) => {
  it.each(casesOf(kind))('%s', async (name) => {
    expect(await flawsOf(kind, name)).toEqual([]);
  });
});
