export { float, floats, type Attribute } from './model/attribute.ts';
export { GraphBuilder, type ModelOptions } from './model/builder.ts';
export { checkModel } from './model/check.ts';
export { elementTypeNumber, elementTypeOf } from './tensor/element-type.ts';
export { externalTensors, inlineExternalData, LARGEST_FILE } from './model/external-data.ts';
export {
  bfloat16ToNumber,
  float16ToNumber,
  numberToBfloat16,
  numberToFloat16,
} from './tensor/half.ts';
export { replaceWeights } from './model/given-weights.ts';
export { packModel, readPacked } from './model/packed-model.ts';
export { activation } from './layers/activation.ts';
export { averagePool, conv, globalAveragePool, maxPool } from './layers/conv.ts';
export { dense } from './layers/dense.ts';
export type { Layer } from './layers/layer.ts';
export { mlp } from './layers/mlp.ts';
export { batchNorm, layerNorm } from './layers/norm.ts';
export { residual, sequential } from './layers/sequential.ts';
export { dropout, flatten, reshape } from './layers/shape.ts';
export { attention, embedding, positions, transformerBlock } from './layers/transformer.ts';
export { opsetOf, readModel, withGraph, writeModel, type Model } from './model/model.ts';
export { OnnxError, type OnnxErrorKind } from './onnx-error.ts';
export { kaiming, seededRandom, xavier, type Random } from './tensor/random.ts';
export { signatureOf } from './model/signature.ts';
export { numbersOf, parseExactJson, tensorOfNumbers } from './tensor/numbers.ts';
export {
  elementCount,
  elementSize,
  stringTensor,
  tensor,
  values,
  type Dimension,
  type ElementType,
  type NumericArray,
  type NumericTensor,
  type NumericType,
  type Signature,
  type StringTensor,
  type Tensor,
  type TensorMap,
  type TensorSpec,
} from './tensor/tensor.ts';
export { gradient, gradientName } from './gradient/gradient.ts';
export { clippedGradient, NORMS } from './per-example/clipped-gradient.ts';
export { inferShapes } from './infer/inference.ts';
export { isSizeBound } from './infer/size-bound.ts';
export { removeDeadNodes } from './passes/dead-nodes.ts';
export { tensorOf } from './model/protos.ts';
export { tensorPlaces, type TensorPlace } from './model/tensor-places.ts';
export { LOSS_NAMES, withLoss, type ClassIndices, type Loss, type LossModel } from './loss/loss.ts';
export { trainableParameters } from './passes/freeze.ts';
export { liftConstants } from './passes/lift-constants.ts';
export { specialise, type SpecialiseOptions } from './passes/specialise.ts';
export { inStages } from './passes/stages.ts';
export { withTensorOutputs } from './passes/tensor-outputs.ts';
