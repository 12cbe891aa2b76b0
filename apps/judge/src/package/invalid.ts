import { SkeinError } from '@skein/api';

/** The error of a package that violates its format: the file, the field, and the reason. */
export function invalid(file: string, what: string): SkeinError {
  return new SkeinError('PROBLEM_INVALID', `${file}: ${what}.`);
}
