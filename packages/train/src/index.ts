export {
  loadCheckpoint,
  saveCheckpoint,
  type Checkpoint,
  type CheckpointStore,
} from './checkpoint/checkpoint.ts';
export { readTensors, writeTensors, type TensorFile } from './checkpoint/safetensors.ts';
export type { ArrayScaling } from './data/encoding/array-encoding.ts';
export { inMemory } from './data/rows/array-rows.ts';
export { type ByteSource } from './data/bytes.ts';
export type { Column, ColumnKind } from './data/table/column.ts';
export { dataset, selectRows, splitRows, type Dataset } from './data/dataset.ts';
export {
  encodeRows,
  fitEncoder,
  type CategoryFeature,
  type Encoder,
  type Feature,
  type FitOptions,
  type NumberFeature,
  type Target,
} from './data/encoding/encoder.ts';
export { withEncoder } from './data/encoding/encoding-graph.ts';
export { isStored, type RowStore, type StoredRows } from './data/rows/stored.ts';
export { readIdx } from './data/formats/idx.ts';
export { parseNpy, readNpy, storedNpy } from './data/formats/npy.ts';
export { parseNpz, storedNpz } from './data/formats/npz.ts';
export { readParquet, type RandomAccess } from './data/formats/parquet.ts';
export { readCsv, readJsonLines, type CsvTableOptions } from './data/table/read-table.ts';
export {
  columnOf,
  completeRows,
  selectTableRows,
  type Table,
  type TableOptions,
} from './data/table/table.ts';
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
export { auc } from './metrics/classification.ts';
export { regressionErrors, type RegressionErrors } from './metrics/regression.ts';
export { calibration, type Calibration, type CalibrationBin } from './metrics/calibration.ts';
export { lion, type LionOptions } from './optimisers/lion.ts';
export type { Optimiser, UpdateGraph, UpdateRule } from './optimisers/optimiser.ts';
export {
  OPTIMISER_NAMES,
  OPTIMISERS,
  type NamedOptimiser,
  type NamedOptions,
  type OptimiserName,
} from './optimisers/optimisers.ts';
export { epsilonOf, noiseFor, type Spent } from './privacy/accountant.ts';
export { filteredEpsilon, type PrivacyLimit } from './privacy/filter.ts';
export {
  audit,
  drawCanaries,
  judge,
  type AuditedRun,
  type AuditOptions,
  type AuditReport,
  type AuditTarget,
} from './privacy/audit/audit.ts';
export {
  clippedStep,
  openClipped,
  type ClippedSession,
  type ClippedStep,
  type ClippedStepOptions,
  type ClippedSum,
} from './privacy/clipped-step.ts';
export { modelScores, type ModelScoresOptions } from './privacy/audit/model-scores.ts';
export { discreteGaussian, type DiscreteGaussian } from './privacy/discrete-gaussian.ts';
export { secureRandom, type RandomBytes, type SecureRandom } from './privacy/secure-random.ts';
export type { Mechanism, Sampling } from './privacy/mechanism.ts';
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
  trainIn,
  type EpochReport,
  type Evaluation,
  type Progress,
  type TrainOptions,
  type TrainResult,
} from './trainer/trainer.ts';
export { assemble, type NetworkBuilder, type NetworkShape } from './task/assemble.ts';
export {
  assemblePublic,
  publicTask,
  type PublicColumns,
  type PublicFeature,
} from './task/assemble-public.ts';
export { blueprintOf, type Blueprint } from './task/blueprint.ts';
export {
  defineTraining,
  SCHEDULE_NAMES,
  WHOLE_SETTINGS,
  type ScheduleName,
  type Training,
} from './task/define-training.ts';
export { roundedColumns } from './data/encoding/rounding.ts';
export { LABELS, MASK, problemOf, rowsFor, type Problem } from './task/problem.ts';
export { servedModel } from './task/served-model.ts';
export { metricsOf, taskReport, type TaskReport } from './task/report.ts';
export type { TaskKind } from './task/task.ts';
export {
  trainTask,
  type TaskGroup,
  type TrainedTask,
  type TrainTaskOptions,
} from './task/train-task.ts';
export { isSoft } from './task/labels.ts';
export { withRowWeights } from './task/row-weights.ts';
export { rowsOf, type TrainingData } from './task/training-data.ts';
export { Diverged, TrainError, type TrainErrorKind } from './train-error.ts';
