import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Records } from '../contract.ts';
import { versionNumber } from '../version-number.ts';
import { fieldsOf, pairsOf, timestampOf, type Calls } from './calls.ts';
import type { VersionRecord } from '../records.ts';

type Stored = Omit<VersionRecord, 'version' | 'createdAt'>;

/**
 * A version survives a power cut once a deployment names it: that write waits for the disk, and
 * this one is before it.
 */
export function versionCalls({
  run,
  durable,
}: Calls): Pick<Records, 'addVersion' | 'versions' | 'version' | 'removeVersion'> {
  return {
    async addVersion(version) {
      const [number, row] = (await run(
        'add-version',
        version.model,
        version.digest,
        JSON.stringify(version),
      )) as [string, string];
      return record(number, row);
    },
    async versions(model) {
      const models = pairsOf<string, string[]>(
        (await run('versions', model ?? '')) as (string | string[])[],
      );
      return models
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([, rows]) =>
          pairsOf<string, string>(rows)
            .sort(([a], [b]) => Number(a) - Number(b))
            .map(([number, row]) => record(number, row)),
        );
    },
    async version(model, version) {
      if (versionNumber(version) === undefined) return undefined;
      const row = (await run('version', model, version)) as string | null;
      return row === null ? undefined : record(version, row);
    },
    async removeVersion(model, version) {
      if (versionNumber(version) !== undefined) await durable('remove-version', model, version);
    },
  };
}

function record(version: string, row: string): VersionRecord {
  const [ms, json = ''] = fieldsOf(row, 2);
  return { ...(readJson(json, JSON_BOUNDS.record) as Stored), version, createdAt: timestampOf(ms) };
}
