/** The error of a file or folder that is not a language model that can be run. */
import { SkeinError } from '@skein/api';

export function invalid(reason: string, cause?: unknown): SkeinError {
  return new SkeinError(
    'LANGUAGE_MODEL_INVALID',
    `${reason}.`,
    cause === undefined ? {} : { cause },
  );
}
