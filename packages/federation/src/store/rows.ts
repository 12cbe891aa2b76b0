/**
 * The backend of a `FederationStore`: rows by key in partitions, and one conditional write.
 * The transitions are the same over every backend: `store-over-rows.ts`.
 */
export interface Rows {
  /** @returns the values in the order of the keys, and the version of the partition; 0: there is none. */
  get(
    partition: string,
    keys: readonly string[],
  ): Promise<{ readonly version: number; readonly values: readonly (string | undefined)[] }>;
  /** Rows whose key begins with a prefix and is at or after `from`, ascending. */
  scan(
    partition: string,
    prefix: string,
    from: string,
    limit: number,
  ): Promise<(readonly [key: string, value: string])[]>;
  /**
   * Writes all or nothing, and counts the version up.
   * @returns false if the partition does not have this version any more; nothing is changed.
   */
  commit(partition: string, version: number, change: Change): Promise<boolean>;
  partitions(): Promise<string[]>;
  drop(partition: string): Promise<boolean>;
  close(): Promise<void>;
}

export interface Change {
  readonly put: ReadonlyMap<string, string>;
  readonly remove?: readonly string[];
  /** `power-cut`: on the disk before it resolves. `crash`: survives `kill -9`. */
  readonly survives: 'power-cut' | 'crash';
}
