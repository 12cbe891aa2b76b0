import { expect, it } from 'vitest';
import { keptOrigin, resolveOrigin, storedOrigin } from './origin.ts';

it('finds the file of a version of a data set again when a run is resumed', async () => {
  const version = { name: 'heart', version: '3', manifest: 'a'.repeat(64) };
  const origin = {
    cwd: '/work',
    flags: { model: 'mlp:2', data: 'heart@3', validation: 'other.csv' },
    versions: { data: { path: '/data/rows.parquet', version } },
  };
  const plan = JSON.stringify(storedOrigin(origin));
  const { pathOf, versionOf } = await resolveOrigin(keptOrigin('a-run', plan));
  expect([pathOf('data'), pathOf('validation')]).toEqual(['/data/rows.parquet', '/work/other.csv']);
  expect([versionOf('data'), versionOf('validation')]).toEqual([version, undefined]);
});
