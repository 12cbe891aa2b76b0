import type { NumericTensor } from '@skein/onnx';

/**
 * `data`: the data are not valid for this training. `model`: the model cannot be trained as
 * requested. `diverged`: the loss is not a number. `checkpoint`: a checkpoint is damaged or of
 * another run. `rank`: a worker of a parallel training is lost.
 */
export type TrainErrorKind = 'data' | 'model' | 'diverged' | 'checkpoint' | 'rank';

/** An error in the input of this package; the message names the offending part. */
export class TrainError extends Error {
  override readonly name = 'TrainError';
  readonly kind: TrainErrorKind;

  constructor(kind: TrainErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** A value of a table is missing; its reader may name what can stand for it. */
export class MissingValue extends TrainError {
  constructor(message: string) {
    super('data', message);
  }
}

export const dataError = (message: string, options?: ErrorOptions): TrainError =>
  new TrainError('data', message, options);

export const modelError = (message: string, options?: ErrorOptions): TrainError =>
  new TrainError('model', message, options);

/** The loss was not a number: holds the batch that caused it. */
export class Diverged extends TrainError {
  /** Feeds of the step, padding included. */
  readonly batch: ReadonlyMap<string, NumericTensor>;
  /** Rows of the dataset in this batch. */
  readonly rows: Uint32Array;

  constructor(message: string, batch: Diverged['batch'], rows: Uint32Array) {
    super('diverged', message);
    this.batch = batch;
    this.rows = rows;
  }
}
