/** `--weights`: a file of safetensors in place of the weights that the .onnx file holds. */
import { readFile } from 'node:fs/promises';
import { SkeinError } from '@skein/api/errors';
import { unreadable } from '@skein/api/file-errors';
import { safeLine } from '@skein/api/safe-text';
import { replaceWeights, type Model } from '@skein/onnx';
import { readSafetensors, TrainError } from '@skein/train';

export interface WeightsFile {
  readonly path: string;
  /** The path in the words of the user. */
  readonly given: string;
}

const MOST_NAMES = 3;
const NAME_CHARACTERS = 120;

/**
 * Replaces the weights of the model, in place.
 *
 * @param of the model's file as the user wrote it.
 * @throws SkeinError FILE_UNREADABLE, MODEL_WEIGHTS_UNFIT.
 */
export async function useWeights(
  model: Model,
  of: string,
  { path, given }: WeightsFile,
): Promise<void> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unreadable(given, error);
  });
  const { missing, extra, unfit } = replaceWeights(model, tensorsIn(bytes, given));
  const reasons = [
    ...(missing.length > 0 ? [`has no tensor for ${listed(missing)} of the model`] : []),
    ...(extra.length > 0 ? [`has ${listed(extra)}, which the model does not have`] : []),
    ...(unfit.length > 0 ? [`has another type or shape than the model: ${listed(unfit)}`] : []),
  ];
  if (reasons.length === 0) return;
  throw new SkeinError(
    'MODEL_WEIGHTS_UNFIT',
    `"${given}" does not fit "${of}": it ${reasons.join('; it ')}.`,
  );
}

function tensorsIn(bytes: Uint8Array, given: string) {
  try {
    return readSafetensors(bytes).tensors;
  } catch (error) {
    if (!(error instanceof TrainError)) throw error;
    const message = `"${given}": ${safeLine(error.message)}`;
    throw new SkeinError('MODEL_WEIGHTS_UNFIT', message, { cause: error });
  }
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map((name) => safeLine(name).slice(0, NAME_CHARACTERS));
  const more = names.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}
