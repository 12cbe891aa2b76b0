import { SkeinError } from '@skein/api/errors';
import {
  newestForAll,
  type Member,
  type MemberInfo,
  type MemberStore,
} from '../members/members.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';

interface Row {
  readonly incarnation: string;
  readonly info: string;
  readonly joined_at: number;
  readonly renewed_at: number;
}

export function memberTable(
  database: Database,
  announce: Announce,
  clock: () => number,
): MemberStore {
  const insert = database.prepare(
    'INSERT OR REPLACE INTO members VALUES (:incarnation, :info, :now, :now, :ends)',
  );
  const prolong = database.prepare(
    `UPDATE members SET info = :info, renewed_at = :now, ends_at = :ends
     WHERE incarnation = :incarnation`,
  );
  const remove = database.prepare('DELETE FROM members WHERE incarnation = :incarnation');
  const ended = database.prepare('DELETE FROM members WHERE ends_at <= :now RETURNING incarnation');
  const live = database.prepare('SELECT * FROM members WHERE ends_at > :now ORDER BY rowid');
  const getSchema = database.prepare("SELECT value FROM meta WHERE name = 'schema'");
  const setSchema = database.prepare("UPDATE meta SET value = :value WHERE name = 'schema'");

  const schema = () => Number((getSchema.get() as { value: string }).value);
  const list = () => (live.all({ now: clock() }) as unknown as Row[]).map(record);
  /** Members whose lease has ended are removed by those that live. */
  function change<T>(work: (now: number) => T): T {
    return database.write('crash', () => {
      const now = clock();
      for (const { incarnation } of ended.all({ now }) as unknown as Row[]) {
        announce({ kind: 'member', id: incarnation, removed: true });
      }
      return work(now);
    });
  }

  return {
    async joinMember(incarnation, info, leaseMs) {
      change((now) => {
        const written = schema();
        const [oldest, newest] = info.schema.reads;
        if (written < oldest || written > newest) {
          throw new SkeinError(
            'STATE_TOO_NEW',
            `The fleet writes schema ${written}, and this Skein reads ${oldest} to ${newest}.`,
          );
        }
        insert.run({ incarnation, info: JSON.stringify(info), now, ends: now + leaseMs });
        announce({ kind: 'member', id: incarnation });
      });
    },
    async renewMember(incarnation, info, leaseMs) {
      return change((now) => {
        const text = JSON.stringify(info);
        return prolong.run({ incarnation, info: text, now, ends: now + leaseMs }).changes === 1;
      });
    },
    async leaveMember(incarnation) {
      change(() => {
        if (remove.run({ incarnation }).changes === 0) return;
        announce({ kind: 'member', id: incarnation, removed: true });
      });
    },
    async listMembers() {
      return database.read(list);
    },
    async schema() {
      return database.read(schema);
    },
    async finalise() {
      return change(() => {
        const value = newestForAll(list(), schema());
        setSchema.run({ value: String(value) });
        return value;
      });
    },
  };
}

function record(row: Row): Member {
  return {
    ...(JSON.parse(row.info) as MemberInfo),
    incarnation: row.incarnation,
    joinedAt: new Date(row.joined_at).toISOString(),
    renewedAt: new Date(row.renewed_at).toISOString(),
  };
}
