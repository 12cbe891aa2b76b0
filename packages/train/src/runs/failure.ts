/** Errors of the training packages as errors of the error table. */
import { SkeinError, type ErrorCode } from '@skein/api/errors';
import { OnnxError, type OnnxErrorKind } from '@skein/onnx';
import { RuntimeFailure } from '@skein/runtime';
import { TrainError, type TrainErrorKind } from '../train-error.ts';

const TRAINING: Readonly<Record<TrainErrorKind, ErrorCode>> = {
  data: 'TRAINING_DATA_INVALID',
  model: 'TRAINING_MODEL_UNFIT',
  diverged: 'TRAINING_DIVERGED',
  checkpoint: 'CHECKPOINT_INVALID',
  rank: 'TRAINING_RANK_LOST',
};
const ONNX: Readonly<Record<OnnxErrorKind, ErrorCode>> = {
  invalid: 'TRAINING_MODEL_UNFIT',
  unsupported: 'TRAINING_MODEL_UNFIT',
  'external-data': 'MODEL_EXTERNAL_DATA',
};

/**
 * @param subject put before the message, such as the file with the error.
 * @returns a SkeinError for an error that a user can fix; any other error unchanged.
 */
export function explained(error: unknown, subject?: string): unknown {
  const message = (text: string) => (subject === undefined ? text : `${subject}: ${text}`);
  const options = { cause: error };
  if (error instanceof TrainError) {
    return new SkeinError(TRAINING[error.kind], message(error.message), options);
  }
  if (error instanceof OnnxError) {
    return new SkeinError(ONNX[error.kind], message(error.message), options);
  }
  if (error instanceof RuntimeFailure) {
    const text = `ONNX Runtime cannot run the training step: ${error.message}`;
    return new SkeinError('TRAINING_MODEL_UNFIT', message(text), options);
  }
  if (error instanceof RangeError && /must be/.test(error.message)) {
    return new SkeinError('USAGE', message(error.message), options);
  }
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SkeinError('STORAGE_FULL', message('The disk is full.'), options);
  }
  return error;
}

/** Runs a part, and converts its errors. */
export async function explaining<T>(
  subject: string | undefined,
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explained(error, subject);
  }
}

/** A setting that is missing or does not fit. In the message, settings stand between backticks. */
export function invalidSetting(message: string): SkeinError {
  return new SkeinError('USAGE', message);
}
