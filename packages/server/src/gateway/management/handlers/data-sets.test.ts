import { createHash } from 'node:crypto';
import { createClient, type Client, type DataManifest } from '@skein/api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleRun } from '../../../../../state/src/runs/testing/sample-run.ts';
import { startManagement, type TestNode } from '../testing/start-management.ts';

let node: TestNode;
let admin: Client;
let ada: Client;
let eve: Client;
beforeAll(async () => {
  node = await startManagement({ access: 'keys' });
  const clientOf = async (tenant: string, scopes: readonly ('jobs' | 'read' | 'admin')[]) => {
    const { secret } = await node.keys.create({ label: tenant, tenant, scopes });
    return createClient({ url: node.url, key: secret });
  };
  admin = await clientOf('ops', ['admin', 'jobs', 'read']);
  ada = await clientOf('ada', ['jobs']);
  eve = await clientOf('eve', ['jobs']);
});
afterAll(() => node.close());

async function contents(client: Client, text: string): Promise<DataManifest> {
  const stored = await client.uploadArtifact({ content: new TextEncoder().encode(text) });
  const columns = [{ name: 'a', type: 'BIGINT' }];
  return { format: 'csv', columns, rows: 2, files: [stored] };
}

it('versions belong to their tenant, name the artifacts it holds, and stay as they are', async () => {
  const first = await contents(ada, 'a\n1\n2\n');
  const added = await ada.addDataVersion({ name: 'heart', contents: first, note: 'week 1' });
  expect(added).toMatchObject({ name: 'heart', version: '1', rows: 2, files: 1, note: 'week 1' });
  // The order of the fields makes no other manifest.
  const { files, ...others } = first;
  const again = await ada.addDataVersion({ name: 'heart', contents: { files, ...others } });
  expect(again).toEqual(added);
  expect(await ada.listData()).toEqual({ versions: [added] });
  const shown = await ada.getDataVersion({ name: 'heart', version: '1' });
  expect(shown).toEqual({ ...added, contents: first, uses: { versions: [], runs: [] } });
  const bytes = await new Response(await ada.downloadArtifact({ digest: added.manifest })).bytes();
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(added.manifest);

  expect(await eve.listData()).toEqual({ versions: [] });
  await expect(eve.getDataVersion({ name: 'heart', version: '1' })).rejects.toMatchObject({
    code: 'DATA_UNKNOWN',
  });
  await expect(eve.addDataVersion({ name: 'mine', contents: first })).rejects.toMatchObject({
    code: 'ARTIFACT_UNKNOWN',
  });
  await expect(eve.removeDataVersion({ name: 'heart', version: '1' })).rejects.toMatchObject({
    code: 'DATA_UNKNOWN',
  });
  const actions = (await node.state.audit(9)).map(
    ({ action, subject, outcome }) => `${action} ${subject} ${outcome}`,
  );
  expect(actions).toContain('removeDataVersion heart/1 DATA_UNKNOWN');
  expect(actions).toContain('addDataVersion heart ok');
});

it('the lineage names what a version is made of, and all that was made of it', async () => {
  const one = await ada.addDataVersion({ name: 'raw', contents: await contents(ada, 'a\n3\n') });
  const { name, version, manifest } = one;
  const parent = { name, version, manifest };
  const from = { versions: [parent], statement: 'FROM data' };
  const made = { name: 'clean', contents: await contents(ada, 'a\n4\n'), from };
  await expect(
    ada.addDataVersion({ ...made, from: { ...from, job: 'not-there' } }),
  ).rejects.toMatchObject({ code: 'JOB_UNKNOWN' });
  await expect(
    ada.addDataVersion({ ...made, from: { versions: [{ ...parent, version: '7' }] } }),
  ).rejects.toMatchObject({ code: 'DATA_UNKNOWN' });
  const two = await ada.addDataVersion(made);
  expect(two.from).toEqual(from);
  const run = sampleRun('20260314-risk-3f9c1e', {
    versions: [{ model: 'risk', version: '4', at: '2026-03-14T10:00:00.000Z' }],
  });
  const [source] = run.lineage.data;
  const data = [{ ...source!, version: parent }];
  await admin.putRun({ id: run.id, run: { ...run, lineage: { ...run.lineage, data } } });
  const { uses } = await ada.getDataVersion({ name, version });
  expect(uses).toEqual({
    versions: [{ name: two.name, version: two.version, manifest: two.manifest }],
    runs: [{ id: run.id, status: run.status, models: [{ model: 'risk', version: '4' }] }],
  });
  await ada.removeDataVersion({ name, version });
  await expect(ada.getDataVersion({ name, version })).rejects.toMatchObject({
    message: 'There is no data set "raw".',
  });
});
