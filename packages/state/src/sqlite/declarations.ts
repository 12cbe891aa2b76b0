import type { DeclarationRecord, Records } from '../contract.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';

interface Row {
  readonly kind: string;
  readonly name: string;
  readonly value: string;
  readonly updated_at: string;
}

export function declarationTable(
  database: Database,
  announce: Announce,
): Pick<Records, 'putDeclaration' | 'declarations' | 'removeDeclaration'> {
  const put = database.prepare(
    'INSERT OR REPLACE INTO declarations VALUES (:kind, :name, :value, :at)',
  );
  const all = database.prepare('SELECT * FROM declarations ORDER BY kind, name');
  const remove = database.prepare('DELETE FROM declarations WHERE kind = :kind AND name = :name');

  return {
    async putDeclaration({ kind, name, value, updatedAt }) {
      database.write('power-cut', () => {
        put.run({ kind, name, value: JSON.stringify(value), at: updatedAt });
        announce({ kind: 'declaration', id: `${kind}:${name}` });
      });
    },
    async declarations() {
      return database.read(() => (all.all() as unknown as Row[]).map(record));
    },
    async removeDeclaration(kind, name) {
      return database.write('power-cut', () => {
        if (remove.run({ kind, name }).changes === 0) return false;
        announce({ kind: 'declaration', id: `${kind}:${name}`, removed: true });
        return true;
      });
    },
  };
}

function record({ kind, name, value, updated_at: updatedAt }: Row): DeclarationRecord {
  return { kind, name, value: JSON.parse(value) as DeclarationRecord['value'], updatedAt };
}
