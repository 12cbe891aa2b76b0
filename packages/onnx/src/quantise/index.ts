/** `@skein/onnx/quantise`: smaller and faster models, from model to model. */
export { observe, rangesOf, type Observed } from './calibration/calibrate.ts';
export { METHODS, type Method } from './calibration/range.ts';
export { biasShift, inputAxis } from './correct-bias.ts';
export { bytesIn } from './forms/rounding.ts';
export { withOpen, type Evaluator, type OpenModel, type Samples } from './evaluator.ts';
export { joinBias } from './join-bias.ts';
export { layersOf, type Layer } from './layers.ts';
export { bitsOf, FORMS, permits, planAll, type Form, type Plan } from './plan.ts';
export { quantise, valuesToCalibrate, type RewriteOptions } from './rewrite.ts';
export { saturates } from './saturation.ts';
export { choose, type Budget, type Choice, type Refusal } from './variants/choose.ts';
export { answersOf, differenceOf, type Answers, type Difference } from './variants/compare.ts';
export {
  measureVariants,
  type Labelled,
  type Report,
  type VariantReport,
} from './variants/measure.ts';
