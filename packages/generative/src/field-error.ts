/** A refusal of one field of a request, in the words of the client, such as `messages[2].content`. */
import { SkeinError, type ErrorCode } from '@skein/api/errors';

export class FieldError extends SkeinError {
  readonly param: string;

  constructor(param: string, message: string, code: ErrorCode = 'REQUEST_INVALID') {
    super(code, message);
    this.param = param;
  }
}
