import type { Records } from '../contract.ts';
import { versionNumber } from '../version-number.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';
import { recordsOf } from './records.ts';
import type { VersionRecord } from '../records.ts';

/** The number of a version is a text in its record only. */
type Stored = Omit<VersionRecord, 'version'> & { readonly number: number };
const { toRow, fromRow } = recordsOf<Stored>('signature', 'metadata');

export const INTO_VERSIONS = `INTO versions VALUES (:model, :number, :kind, :digest, :sizeBytes,
  :signature, :metadata, :createdAt)`;

export const versionRow = ({ version, ...record }: VersionRecord) =>
  toRow({ ...record, number: Number(version) });

export function versionTable(
  database: Database,
  announce: Announce,
): Pick<Records, 'addVersion' | 'versions' | 'version' | 'removeVersion'> {
  const same = database.prepare('SELECT * FROM versions WHERE model = :model AND digest = :digest');
  const nextNumber = database.prepare(
    `INSERT INTO version_numbers VALUES (:model, 1)
     ON CONFLICT (model) DO UPDATE SET last = last + 1 RETURNING last`,
  );
  const insert = database.prepare(`INSERT ${INTO_VERSIONS} RETURNING *`);
  const all = database.prepare('SELECT * FROM versions ORDER BY model, number');
  const ofModel = database.prepare('SELECT * FROM versions WHERE model = :model ORDER BY number');
  const one = database.prepare('SELECT * FROM versions WHERE model = :model AND number = :number');
  const remove = database.prepare('DELETE FROM versions WHERE model = :model AND number = :number');

  return {
    async addVersion(version) {
      return database.write('power-cut', () => {
        const existing = same.get({ model: version.model, digest: version.digest });
        if (existing) return record(existing);
        const { last } = nextNumber.get({ model: version.model }) as { last: number };
        announce({ kind: 'version', id: `${version.model}:${last}` });
        const createdAt = new Date().toISOString();
        return record(insert.get(versionRow({ ...version, version: String(last), createdAt }))!);
      });
    },
    async versions(model) {
      return database.read(() =>
        (model === undefined ? all.all() : ofModel.all({ model })).map(record),
      );
    },
    async version(model, version) {
      const number = versionNumber(version);
      if (number === undefined) return undefined;
      return database.read(() => {
        const row = one.get({ model, number });
        return row && record(row);
      });
    },
    async removeVersion(model, version) {
      const number = versionNumber(version);
      if (number === undefined) return;
      database.write('power-cut', () => {
        if (remove.run({ model, number }).changes === 0) return;
        announce({ kind: 'version', id: `${model}:${number}`, removed: true });
      });
    },
  };
}

function record(row: Parameters<typeof fromRow>[0]): VersionRecord {
  const { number, ...rest } = fromRow(row);
  return { ...rest, version: String(number) };
}
