import { SkeinError } from '@skein/api';

/** A package that breaks its format: which file, which field, what is wrong. */
export function invalid(file: string, what: string): SkeinError {
  return new SkeinError('PROBLEM_INVALID', `${file}: ${what}.`);
}
