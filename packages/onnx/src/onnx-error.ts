/**
 * `invalid`: the file is not a readable, well-formed model. `unsupported`: it is, but asks for
 * something that is not there. `external-data`: a weight file beside it is missing or wrong.
 */
export type OnnxErrorKind = 'invalid' | 'unsupported' | 'external-data';

/** What every function of this package throws about a model; the message names the offending part. */
export class OnnxError extends Error {
  override readonly name = 'OnnxError';
  readonly kind: OnnxErrorKind;

  constructor(kind: OnnxErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
