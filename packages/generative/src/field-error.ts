/** A refusal of one field of a request. The field is named as the client wrote it, such as `messages[2].content`. */
import { SkeinError, type ErrorCode } from '@skein/api/errors';

export class FieldError extends SkeinError {
  readonly param: string;

  constructor(param: string, message: string, code: ErrorCode = 'REQUEST_INVALID') {
    super(code, message);
    this.param = param;
  }
}

/**
 * Runs a function and adds the name of the field to its error, unless the error names one.
 * @throws FieldError in place of a SkeinError of `run`.
 */
export function about<T>(param: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof SkeinError) || error instanceof FieldError) throw error;
    throw new FieldError(param, error.message, error.code);
  }
}

/** Description for calls between processes, where the error travels under the name of its base class. */
export const FIELD_ERROR = {
  name: 'SkeinError',
  prototype: FieldError.prototype,
  accepts: (fields: { readonly code?: unknown; readonly param?: unknown }): boolean =>
    typeof fields.param === 'string' && SkeinError.accepts(fields),
};
