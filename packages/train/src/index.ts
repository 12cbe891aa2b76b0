export { readSafetensors, readTensors, writeTensors } from './checkpoint/safetensors.ts';
export { zipEntries } from './data/formats/zip.ts';
export type { Column } from './data/table/column.ts';
export { dataset, selectRows, splitRows, type Dataset } from './data/dataset.ts';
export { fitEncoder, type Encoder } from './data/encoding/encoder.ts';
export { withEncoder } from './data/encoding/encoding-graph.ts';
export { readIdx } from './data/formats/idx.ts';
export { parseNpy, readNpy } from './data/formats/npy.ts';
export { parseNpz } from './data/formats/npz.ts';
export { readParquet } from './data/formats/parquet.ts';
export { readCsv, readJsonLines } from './data/table/read-table.ts';
export { completeRows, type Table, type TableOptions } from './data/table/table.ts';
export { adagrad } from './optimisers/adagrad.ts';
export { adam, adamW } from './optimisers/adam.ts';
export type { Clipping } from './optimisers/clip.ts';
export { macroF1 } from './metrics/classification.ts';
export { lion } from './optimisers/lion.ts';
export type { Optimiser } from './optimisers/optimiser.ts';
export { OPTIMISER_NAMES } from './optimisers/optimisers.ts';
export { epsilonOf, noiseFor, type Spent } from './privacy/accountant.ts';
export { filteredEpsilon, type PrivacyLimit } from './privacy/filter.ts';
export { audit, drawCanaries, judge, type AuditReport } from './privacy/audit/audit.ts';
export { clippedStep, openClipped } from './privacy/clipped-step.ts';
export { modelScores } from './privacy/audit/model-scores.ts';
export { secureRandom, type SecureRandom } from './privacy/secure-random.ts';
export type { Mechanism, Sampling } from './privacy/mechanism.ts';
export { rmsprop } from './optimisers/rmsprop.ts';
export { sgd } from './optimisers/sgd.ts';
export { constant, cosine, stepDecay, warmUp } from './schedules/schedule.ts';
export { openStep, type StepSession } from './step/step-session.ts';
export { withTrained } from './step/trained-model.ts';
export { trainingStep } from './step/training-step.ts';
export type { Backend, Tensors } from './run/backend.ts';
export { openEvaluator } from './trainer/evaluate.ts';
export { train, type Progress } from './trainer/trainer.ts';
export { assemble } from './task/assemble.ts';
export {
  assemblePublic,
  networkFrom,
  publicTask,
  type PublicArray,
  type PublicColumns,
  type PublicFeature,
} from './task/assemble-public.ts';
export { blueprintOf } from './task/blueprint.ts';
export {
  defineTraining,
  SCHEDULE_NAMES,
  SHUFFLES,
  WHOLE_SETTINGS,
  type Training,
} from './task/define-training.ts';
export { roundedColumns } from './data/encoding/rounding.ts';
export { LABELS, MASK, problemOf, rowsFor, type Problem } from './task/problem.ts';
export { servedModel } from './task/served-model.ts';
export { metricsOf, taskReport } from './task/report.ts';
export { trainTask } from './task/train-task.ts';
export { TrainError } from './train-error.ts';
