/** A text that a browser asks for by its path. */
export interface Page {
  readonly type: string;
  readonly body: string;
  /** Name and value in turn. */
  readonly headers: readonly string[];
}
