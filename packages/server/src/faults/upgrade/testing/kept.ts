/** Contents of a packed data folder, as the version that wrote it printed them. */
export interface Kept {
  /** A key for each scope. */
  readonly keys: { readonly admin: string; readonly infer: string };
  /** The version of `tumours` that takes traffic, and its probabilities for one row. */
  readonly served: string;
  readonly answer: readonly number[];
  /** A job that has printed and written a file. */
  readonly done: string;
  /** A job of the paused queue `later`. */
  readonly waiting: string;
  /** Digest of examples/sales/sales.csv. */
  readonly artifact: string;
  readonly federation: string;
  /** Its first version is examples/sales/sales.csv. */
  readonly dataSet?: string;
}
