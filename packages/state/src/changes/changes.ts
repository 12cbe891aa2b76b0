/**
 * The change feed: what was written, in order, so that a reader can follow a store instead of
 * reading all of it again.
 *
 * A reader takes the position, then the records, then the changes after the position. A change that
 * happened between the first two steps is seen twice, and none is missed. A change names a record
 * and does not contain it: the reader reads the record, which may be newer than the change.
 */

/** The kind of record that a change names. */
export type ChangeKind =
  | 'deployment'
  | 'version'
  | 'key'
  | 'run'
  | 'history'
  | 'member'
  | 'declaration';

export interface StateChange {
  /** The position after this change. */
  readonly cursor: string;
  readonly kind: ChangeKind;
  /** The name of a deployment, `model:version`, `kind:name`, the id of a key, run or history entry, an incarnation. */
  readonly id: string;
  /** A deployment's; counts up with every write and removal. */
  readonly revision?: number;
  readonly removed?: true;
}

export interface Position {
  /** Random, made with the contents: a store that was lost and made again has another one. */
  readonly epoch: string;
  /** Opaque. */
  readonly cursor: string;
}

/** The changes of a store, as a backend reads them. */
export interface ChangeStore {
  position(): Promise<Position>;
  /**
   * The changes after a position, oldest first; none when there are none yet.
   * @throws SkeinError CHANGES_TRIMMED, STORE_REPLACED.
   */
  changesAfter(cursor: string, limit: number): Promise<StateChange[]>;
}

export const cursorOf = ({ epoch, entry }: { epoch: string; entry: string }): string =>
  `${epoch}:${entry}`;

export function readCursor(cursor: string): { readonly epoch: string; readonly entry: string } {
  const colon = cursor.indexOf(':');
  return { epoch: cursor.slice(0, colon), entry: cursor.slice(colon + 1) };
}
