/** The change feed in SQLite: a table whose rows are written in the transaction of their change. */
import { SkeinError } from '@skein/api/errors';
import { cursorOf, readCursor, type ChangeStore, type StateChange } from '../changes/changes.ts';
import { RETENTION } from '../retention.ts';
import type { Database } from './database.ts';

/** Adds a change to the feed. Call it inside the transaction that makes the change. */
export type Announce = (change: Omit<StateChange, 'cursor'>) => void;

interface Row {
  readonly sequence: number;
  readonly kind: StateChange['kind'];
  readonly id: string;
  readonly revision: number | null;
  readonly removed: number;
}

export function changeTable(database: Database): ChangeStore & { readonly announce: Announce } {
  const insert = database.prepare(
    'INSERT INTO changes (kind, id, revision, removed) VALUES (:kind, :id, :revision, :removed)',
  );
  const trim = database.prepare('DELETE FROM changes WHERE sequence <= :oldest');
  const newest = database.prepare('SELECT coalesce(max(sequence), 0) AS sequence FROM changes');
  const after = database.prepare(
    'SELECT * FROM changes WHERE sequence > :sequence ORDER BY sequence LIMIT :limit',
  );
  const { value: epoch } = database
    .prepare("SELECT value FROM meta WHERE name = 'epoch'")
    .get() as { value: string };
  const last = () => (newest.get() as { sequence: number }).sequence;
  const cursor = (sequence: number) => cursorOf({ epoch, entry: String(sequence) });

  return {
    announce({ kind, id, revision, removed }) {
      const { lastInsertRowid } = insert.run({
        kind,
        id,
        revision: revision ?? null,
        removed: removed === true ? 1 : 0,
      });
      trim.run({ oldest: Number(lastInsertRowid) - RETENTION.changes });
    },
    async position() {
      return database.read(() => ({ epoch, cursor: cursor(last()) }));
    },
    async changesAfter(from, limit) {
      const read = readCursor(from);
      const sequence = Number(read.entry);
      return database.read(() => {
        const rows = after.all({ sequence, limit }) as unknown as Row[];
        const [first] = rows;
        if (read.epoch !== epoch || (first === undefined && last() < sequence)) {
          throw new SkeinError('STORE_REPLACED', `The change ${from} is not one of this database.`);
        }
        if (first !== undefined && first.sequence !== sequence + 1) {
          throw new SkeinError('CHANGES_TRIMMED', `The change feed begins after ${from}.`);
        }
        return rows.map((row) => ({
          cursor: cursor(row.sequence),
          kind: row.kind,
          id: row.id,
          ...(row.revision === null ? {} : { revision: row.revision }),
          ...(row.removed === 1 ? { removed: true as const } : {}),
        }));
      });
    },
  };
}
