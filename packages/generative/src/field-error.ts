/** A refusal of one field of a request, in the words of the client, such as `messages[2].content`. */
import { SkeinError, type ErrorCode } from '@skein/api/errors';

export class FieldError extends SkeinError {
  readonly param: string;

  constructor(param: string, message: string, code: ErrorCode = 'REQUEST_INVALID') {
    super(code, message);
    this.param = param;
  }
}

/**
 * Names the field that a coded error is about, unless it names one.
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

/** Between processes it has the name of the class that it extends. */
export const FIELD_ERROR = {
  name: 'SkeinError',
  prototype: FieldError.prototype,
  accepts: (fields: { readonly code?: unknown; readonly param?: unknown }): boolean =>
    typeof fields.param === 'string' && SkeinError.accepts(fields),
};
