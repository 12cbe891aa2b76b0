export { type ByteSource } from './data/bytes.ts';
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
export { TrainError, type TrainErrorKind } from './train-error.ts';
