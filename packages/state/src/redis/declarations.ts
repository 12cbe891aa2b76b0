import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Records } from '../contract.ts';
import type { Calls } from './calls.ts';
import type { DeclarationRecord } from '../records.ts';

export function declarationCalls({
  run,
  durable,
}: Calls): Pick<
  Records,
  'putDeclaration' | 'addDeclaration' | 'declarations' | 'removeDeclaration'
> {
  return {
    async putDeclaration(declaration) {
      const { kind, name } = declaration;
      await durable('put-declaration', kind, name, JSON.stringify(declaration));
    },
    async addDeclaration(declaration) {
      const { kind, name } = declaration;
      return (await durable('add-declaration', kind, name, JSON.stringify(declaration))) === '1';
    },
    async declarations() {
      const rows = (await run('declarations')) as string[];
      return rows
        .map((row) => readJson(row, JSON_BOUNDS.record) as DeclarationRecord)
        .sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
    },
    async removeDeclaration(kind, name) {
      return (await durable('remove-declaration', kind, name)) === 1;
    },
  };
}

const placeOf = ({ kind, name }: DeclarationRecord): string => `${kind}\0${name}`;
