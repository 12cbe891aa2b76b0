import type { Signature } from '@skein/onnx';
import type { Records, VersionRecord } from '../contract.ts';
import { versionNumber } from '../version-number.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';

interface Row {
  readonly model: string;
  readonly number: number;
  readonly kind: VersionRecord['kind'];
  readonly digest: string;
  readonly size_bytes: number;
  readonly signature: string;
  readonly metadata: string;
  readonly module_path: string | null;
  readonly created_at: string;
}

export function versionTable(
  database: Database,
  announce: Announce,
): Pick<Records, 'addVersion' | 'versions' | 'version' | 'removeVersion'> {
  const same = database.prepare(
    `SELECT * FROM versions WHERE model = :model AND digest = :digest AND coalesce(module_path, '') = :module`,
  );
  const nextNumber = database.prepare(
    `INSERT INTO version_numbers VALUES (:model, 1)
     ON CONFLICT (model) DO UPDATE SET last = last + 1 RETURNING last`,
  );
  const insert = database.prepare(
    `INSERT INTO versions VALUES
     (:model, :number, :kind, :digest, :size, :signature, :metadata, :module, :at) RETURNING *`,
  );
  const all = database.prepare('SELECT * FROM versions ORDER BY model, number');
  const ofModel = database.prepare('SELECT * FROM versions WHERE model = :model ORDER BY number');
  const one = database.prepare('SELECT * FROM versions WHERE model = :model AND number = :number');
  const remove = database.prepare('DELETE FROM versions WHERE model = :model AND number = :number');

  return {
    async addVersion(version) {
      return database.write('power-cut', () => {
        const existing = same.get({
          model: version.model,
          digest: version.digest,
          module: version.modulePath ?? '',
        });
        if (existing) return record(existing as unknown as Row);
        const { last } = nextNumber.get({ model: version.model }) as { last: number };
        announce({ kind: 'version', id: `${version.model}:${last}` });
        return record(
          insert.get({
            model: version.model,
            number: last,
            kind: version.kind,
            digest: version.digest,
            size: version.sizeBytes,
            signature: JSON.stringify(version.signature),
            metadata: JSON.stringify(version.metadata),
            module: version.modulePath ?? null,
            at: new Date().toISOString(),
          }) as unknown as Row,
        );
      });
    },
    async versions(model) {
      return database.read(() => {
        const rows = model === undefined ? all.all() : ofModel.all({ model });
        return (rows as unknown as Row[]).map(record);
      });
    },
    async version(model, version) {
      const number = versionNumber(version);
      if (number === undefined) return undefined;
      return database.read(() => {
        const row = one.get({ model, number });
        return row && record(row as unknown as Row);
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

function record(row: Row): VersionRecord {
  return {
    model: row.model,
    version: String(row.number),
    kind: row.kind,
    digest: row.digest,
    sizeBytes: row.size_bytes,
    signature: JSON.parse(row.signature) as Signature,
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    ...(row.module_path === null ? {} : { modulePath: row.module_path }),
    createdAt: row.created_at,
  };
}
