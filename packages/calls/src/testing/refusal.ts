/** A coded error, as applications have one. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: string;
  readonly details: readonly unknown[];

  constructor(code: string, message: string, details: readonly unknown[], cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.details = details;
  }
  static accepts({ code }: { readonly code?: unknown }): boolean {
    return code === 'FULL';
  }
}
