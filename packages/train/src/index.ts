export {
  loadCheckpoint,
  saveCheckpoint,
  type Checkpoint,
  type CheckpointStore,
} from './checkpoint/checkpoint.ts';
export { readTensors, writeTensors, type TensorFile } from './checkpoint/safetensors.ts';
export { type ByteSource } from './data/bytes.ts';
export { classLabels, dataset, selectRows, splitRows, type Dataset } from './data/dataset.ts';
export {
  encodeRows,
  fitEncoder,
  withEncoder,
  type CategoryFeature,
  type Encoder,
  type Feature,
  type FitOptions,
  type NumberFeature,
  type Target,
} from './data/encoder.ts';
export { readIdx } from './data/idx.ts';
export { parseNpy } from './data/npy.ts';
export { parseNpz } from './data/npz.ts';
export {
  columnOf,
  readCsv,
  readJsonLines,
  type Column,
  type ColumnKind,
  type CsvTableOptions,
  type Table,
} from './data/table.ts';
export { adagrad, type AdagradOptions } from './optimisers/adagrad.ts';
export { adam, adamW, type AdamOptions } from './optimisers/adam.ts';
export type { Clipping } from './optimisers/clip.ts';
export {
  accuracy,
  confusionMatrix,
  f1,
  macroF1,
  type ConfusionMatrix,
} from './metrics/classification.ts';
export { auc } from './metrics/auc.ts';
export { calibration, type Calibration, type CalibrationBin } from './metrics/calibration.ts';
export { lion, type LionOptions } from './optimisers/lion.ts';
export type { Optimiser, UpdateGraph, UpdateRule } from './optimisers/optimiser.ts';
export { rmsprop, type RmspropOptions } from './optimisers/rmsprop.ts';
export { sgd, type SgdOptions } from './optimisers/sgd.ts';
export {
  constant,
  cosine,
  stepDecay,
  warmUp,
  type CosineOptions,
  type Schedule,
  type StepDecayOptions,
} from './schedules/schedule.ts';
export { openStep, type StepSession } from './step/step-session.ts';
export { withTrained } from './step/trained-model.ts';
export { trainingStep, type TrainingStep, type TrainingStepOptions } from './step/training-step.ts';
export type { Backend, BackendOptions, OpenGraph, Tensors } from './run/backend.ts';
export {
  classificationReport,
  openEvaluator,
  type ClassificationReport,
  type Evaluator,
  type EvaluatorOptions,
} from './trainer/evaluate.ts';
export {
  train,
  type EpochReport,
  type Progress,
  type TrainOptions,
  type TrainResult,
} from './trainer/trainer.ts';
export { Diverged, TrainError, type TrainErrorKind } from './train-error.ts';
