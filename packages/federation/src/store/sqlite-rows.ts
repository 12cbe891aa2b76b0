/**
 * `Rows` in an SQLite file, on the calling thread: a step of a round waits for the disk a few times,
 * and an answer of a site does not wait.
 */
import { openDatabase } from '@skein/state/database';
import type { Rows } from './rows.ts';

const MIGRATIONS = [
  `
  CREATE TABLE partitions (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE rows (
    partition TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (partition, key)
  ) STRICT, WITHOUT ROWID;
  `,
];

/** @throws SkeinError STATE_CORRUPT, STATE_TOO_NEW, STORAGE_FULL, DATA_FOLDER_UNUSABLE. */
export async function openSqliteRows(path: string): Promise<Rows> {
  const database = openDatabase(path, MIGRATIONS);
  const one = database.prepare(
    'SELECT value FROM rows WHERE partition = :partition AND key = :key',
  );
  const range = database.prepare(
    `SELECT key, value FROM rows WHERE partition = :partition AND key >= :from
     AND substr(key, 1, length(:prefix)) = :prefix ORDER BY key LIMIT :limit`,
  );
  const put = database.prepare('INSERT OR REPLACE INTO rows VALUES (:partition, :key, :value)');
  const remove = database.prepare('DELETE FROM rows WHERE partition = :partition AND key = :key');
  const clear = database.prepare('DELETE FROM rows WHERE partition = :partition');
  const removePartition = database.prepare('DELETE FROM partitions WHERE name = :partition');
  const all = database.prepare('SELECT name FROM partitions ORDER BY name');
  const current = database.prepare('SELECT version FROM partitions WHERE name = :partition');
  const count = database.prepare('INSERT OR REPLACE INTO partitions VALUES (:partition, :version)');
  const versionOf = (partition: string): number =>
    (current.get({ partition }) as { version: number } | undefined)?.version ?? 0;

  return {
    async get(partition, keys) {
      return database.read(() => ({
        version: versionOf(partition),
        values: keys.map(
          (key) => (one.get({ partition, key }) as { value: string } | undefined)?.value,
        ),
      }));
    },
    async scan(partition, prefix, from, limit) {
      const first = from > prefix ? from : prefix;
      const found = database.read(() => range.all({ partition, prefix, from: first, limit }));
      return (found as { key: string; value: string }[]).map(({ key, value }) => [key, value]);
    },
    async commit(partition, version, change) {
      return database.write(change.survives, () => {
        if (versionOf(partition) !== version) return false;
        count.run({ partition, version: version + 1 });
        for (const [key, value] of change.put) put.run({ partition, key, value });
        for (const key of change.remove ?? []) remove.run({ partition, key });
        return true;
      });
    },
    async partitions() {
      return database.read(() => (all.all() as { name: string }[]).map(({ name }) => name));
    },
    async drop(partition) {
      return database.write('power-cut', () => {
        clear.run({ partition });
        return removePartition.run({ partition }).changes === 1;
      });
    },
    async close() {
      database.close();
    },
  };
}
