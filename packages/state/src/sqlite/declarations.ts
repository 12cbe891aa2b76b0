import type { Records } from '../contract.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';
import { recordsOf } from './records.ts';
import type { DeclarationRecord } from '../records.ts';

const { toRow, fromRow } = recordsOf<DeclarationRecord>('value');

export function declarationTable(
  database: Database,
  announce: Announce,
): Pick<Records, 'putDeclaration' | 'addDeclaration' | 'declarations' | 'removeDeclaration'> {
  const put = database.prepare(
    'INSERT OR REPLACE INTO declarations VALUES (:kind, :name, :value, :updatedAt)',
  );
  const add = database.prepare(
    'INSERT OR IGNORE INTO declarations VALUES (:kind, :name, :value, :updatedAt)',
  );
  const all = database.prepare('SELECT * FROM declarations ORDER BY kind, name');
  const remove = database.prepare('DELETE FROM declarations WHERE kind = :kind AND name = :name');

  return {
    async putDeclaration(declaration) {
      const { kind, name } = declaration;
      database.write('power-cut', () => {
        put.run(toRow(declaration));
        announce({ kind: 'declaration', id: `${kind}:${name}` });
      });
    },
    async addDeclaration(declaration) {
      const { kind, name } = declaration;
      return database.write('power-cut', () => {
        if (add.run(toRow(declaration)).changes === 0) return false;
        announce({ kind: 'declaration', id: `${kind}:${name}` });
        return true;
      });
    },
    async declarations() {
      return database.read(() => all.all().map(fromRow));
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
