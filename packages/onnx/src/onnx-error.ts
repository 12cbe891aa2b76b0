/**
 * `invalid`: the file is not a readable, well-formed model. `unsupported`: it is, but needs a
 * feature that is missing here. `external-data`: a file of its weights is missing or wrong.
 */
export type OnnxErrorKind = 'invalid' | 'unsupported' | 'external-data';

/** Characters of a message: names in a file may be as long as the file. */
const LONGEST_MESSAGE = 1000;

/**
 * The error that every function of this package throws about a model; the message names the
 * offending part.
 */
export class OnnxError extends Error {
  override readonly name = 'OnnxError';
  readonly kind: OnnxErrorKind;

  constructor(kind: OnnxErrorKind, message: string, options?: ErrorOptions) {
    super(
      message.length <= LONGEST_MESSAGE ? message : `${message.slice(0, LONGEST_MESSAGE)}…`,
      options,
    );
    this.kind = kind;
  }
}

export const invalidModel = (message: string, options?: ErrorOptions): OnnxError =>
  new OnnxError('invalid', message, options);

export const unsupportedModel = (message: string, options?: ErrorOptions): OnnxError =>
  new OnnxError('unsupported', message, options);
