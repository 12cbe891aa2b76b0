import type { Secrets } from '../secrets/secrets.ts';
import type { Database } from './database.ts';

const placeOf = (name: string): string => `secret:${name}`;

export function secretTable(database: Database): Secrets {
  const add = database.prepare('INSERT OR IGNORE INTO meta VALUES (:name, :candidate)');
  const get = database.prepare('SELECT value FROM meta WHERE name = :name');
  return {
    async secret(given, candidate) {
      const name = placeOf(given);
      return database.write('power-cut', () => {
        add.run({ name, candidate });
        return (get.get({ name }) as { value: string }).value;
      });
    },
  };
}
