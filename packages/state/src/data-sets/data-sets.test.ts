import { afterEach, beforeEach, expect, it } from 'vitest';
import type { State } from '../contract.ts';
import { openSqliteState } from '../sqlite/sqlite-state.ts';
import { createDataSets, type DataSets, type NewDataVersion } from './data-sets.ts';

let state: State;
let dataSets: DataSets;
beforeEach(async () => {
  state = await openSqliteState(':memory:');
  dataSets = createDataSets(state);
});
afterEach(() => state.close());

const given = (name: string, content: string): NewDataVersion => ({
  name,
  manifest: content.repeat(64),
  format: 'csv',
  rows: 3,
  files: 1,
  sizeBytes: 12,
  inPlace: false,
  by: 'local',
  note: '',
  from: {},
});
const numbers = async (tenant: string, name?: string) =>
  (await dataSets.list(tenant, name)).map((each) => `${each.name}@${each.version}`);

it('counts the versions of each name of a tenant, and gives no number twice', async () => {
  expect(await dataSets.add('a', given('heart', '1'))).toMatchObject({ version: '1' });
  const second = await dataSets.add('a', given('heart', '2'));
  expect(second).toMatchObject({ version: '2' });
  // The same contents again are no other version.
  expect(await dataSets.add('a', given('heart', '2'))).toEqual(second);
  await dataSets.remove('a', 'heart', '2');
  expect(await dataSets.add('a', given('heart', '2'))).toMatchObject({ version: '3' });
  await dataSets.add('b', given('heart', '4'));
  expect(await numbers('a')).toEqual(['heart@3', 'heart@1']);
  expect(await numbers('b', 'heart')).toEqual(['heart@1']);
  expect(await dataSets.manifests()).toEqual(['1', '2', '4'].map((each) => each.repeat(64)));
});

it('numbers versions that are added at once, each once', async () => {
  const digits = '123456789abc'.split('');
  const added = await Promise.all(digits.map((each) => dataSets.add('a', given('heart', each))));
  expect(added.map(({ version }) => Number(version)).sort((a, b) => a - b)).toEqual(
    digits.map((_, index) => index + 1),
  );
});

it('names the versions that there are where one is unknown', async () => {
  await expect(dataSets.get('a', 'heart', '1')).rejects.toMatchObject({
    code: 'DATA_UNKNOWN',
    message: 'There is no data set "heart".',
  });
  await dataSets.add('a', given('heart', '1'));
  await expect(dataSets.get('b', 'heart', '1')).rejects.toMatchObject({ code: 'DATA_UNKNOWN' });
  await expect(dataSets.remove('a', 'heart', '7')).rejects.toMatchObject({
    message: 'The data set "heart" has no version @7; it has @1.',
  });
});
