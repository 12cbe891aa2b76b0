import type { Responses, StoredResponse } from '../responses/responses.ts';
import type { Database } from './database.ts';

interface Row {
  readonly id: string;
  readonly previous: string | null;
  readonly value: string;
}

export function responseTable(database: Database, clock: () => number): Responses {
  const removeEnded = database.prepare('DELETE FROM responses WHERE ends_at <= :now');
  const put = database.prepare(
    'INSERT OR REPLACE INTO responses VALUES (:owner, :id, :previous, :value, :bytes, :endsAt, NULL)',
  );
  const held = database.prepare(
    'SELECT count(*) AS count, total(bytes) AS bytes FROM responses WHERE owner = :owner',
  );
  const removeFirst = database.prepare(
    `DELETE FROM responses WHERE sequence =
       (SELECT sequence FROM responses WHERE owner = :owner ORDER BY ends_at, sequence LIMIT 1)`,
  );
  const get = database.prepare(
    'SELECT id, previous, value FROM responses WHERE owner = :owner AND id = :id AND ends_at > :now',
  );
  const remove = database.prepare('DELETE FROM responses WHERE owner = :owner AND id = :id');
  const clear = database.prepare('DELETE FROM responses');

  function removeOldest(owner: string, count: number, bytes: number): void {
    for (;;) {
      const now = held.get({ owner }) as { count: number; bytes: number };
      if (now.count <= count && now.bytes <= bytes) return;
      removeFirst.run({ owner });
    }
  }

  return {
    async putResponse(owner, { id, previous = null, value }, { count, bytes, endsAt }) {
      const size = Buffer.byteLength(value);
      return database.write('crash', () => {
        removeEnded.run({ now: clock() });
        if (size > bytes || endsAt <= clock()) return false;
        remove.run({ owner, id });
        removeOldest(owner, count - 1, bytes - size);
        put.run({ owner, id, previous, value, bytes: size, endsAt });
        return true;
      });
    },
    async responseChain(owner, id) {
      return database.read(() => {
        const chain: StoredResponse[] = [];
        const seen = new Set<string>();
        for (let at: string | undefined = id; at !== undefined && !seen.has(at);) {
          seen.add(at);
          const row = get.get({ owner, id: at, now: clock() }) as unknown as Row | undefined;
          if (row === undefined) break;
          const previous: string | undefined = row.previous ?? undefined;
          chain.push({ id: row.id, previous, value: row.value });
          at = previous;
        }
        return chain;
      });
    },
    async removeResponse(owner, id) {
      return database.write('crash', () => {
        removeEnded.run({ now: clock() });
        return remove.run({ owner, id }).changes > 0;
      });
    },
    async removeResponses() {
      database.write('crash', () => void clear.run());
    },
  };
}
