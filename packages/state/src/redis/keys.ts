import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Records } from '../contract.ts';
import { pairsOf, type Calls } from './calls.ts';
import type { KeyRecord } from '../records.ts';

/** A revocation is kept apart from the record, so that it needs no comparison and the first one counts. */
export function keyCalls({
  run,
  durable,
}: Calls): Pick<Records, 'addKey' | 'keys' | 'revokeKey' | 'removeKeys'> {
  return {
    async addKey(key) {
      const added = await durable('add-key', key.id, JSON.stringify(key));
      if (added === '0') throw new Error(`There is a key with the id "${key.id}" already.`);
    },
    async keys() {
      return pairsOf<string, string>((await run('keys')) as string[]).map(([json, revokedAt]) => ({
        ...(readJson(json, JSON_BOUNDS.record) as KeyRecord),
        ...(revokedAt === '' ? {} : { revokedAt }),
      }));
    },
    async revokeKey(id, at) {
      return (await durable('revoke-key', id, at)) === 1;
    },
    async removeKeys(ids) {
      await durable('remove-keys', ...ids);
    },
  };
}
