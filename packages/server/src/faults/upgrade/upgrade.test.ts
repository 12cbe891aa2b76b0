/** Data folders that earlier versions wrote, opened by this one: each of their contents is there and works. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '@skein/api/client';
import { ledgerText, verifyLedger, type LedgerExport } from '@skein/federation';
import { runCli } from '../../../../cli/src/testing/cli.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import type { Kept } from './testing/kept.ts';

const PACKED = join(import.meta.dirname, 'testing');
const WRITTEN = readdirSync(PACKED).filter((name) => name.endsWith('.tar.gz'));
const SALES = join(import.meta.dirname, '../../../../../examples/sales/sales.csv');
/** Time in which a job starts and ends on a busy machine. */
const JOB = { timeout: 30_000 };

/** Parent of the data folder, with the list of its contents. */
function unpacked(name: string): { folder: string; kept: Kept } {
  const folder = testFolder();
  execFileSync('tar', ['-xzf', join(PACKED, name), '-C', folder]);
  return { folder, kept: JSON.parse(readFileSync(join(folder, 'kept.json'), 'utf8')) as Kept };
}

/** The definitions of the tables and indexes in both databases of a data folder. */
function schemaOf(folder: string): unknown[] {
  return ['state.sqlite', 'jobs.db'].map((file) => {
    using database = new DatabaseSync(join(folder, '.skein', file), { readOnly: true });
    return database.prepare('SELECT name, sql FROM sqlite_schema ORDER BY name').all();
  });
}

describe.each(WRITTEN)('the data folder of %s', (name) => {
  let kept: Kept;
  let node: NodeProcess;
  beforeAll(async () => {
    const { folder, kept: list } = unpacked(name);
    kept = list;
    node = await startNodeProcess({
      folder,
      args: ['--host', '0.0.0.0', '--queues', 'default,later'],
      key: kept.keys.admin,
    });
  }, 60_000);
  afterAll(() => node.kill());

  const artifact = async (digest: string): Promise<string> => {
    const headers = { authorization: `Bearer ${kept.keys.admin}` };
    const answer = await fetch(`${node.url}/api/v1/artifacts/${digest}/content`, { headers });
    return answer.text();
  };

  it('has the tables that a new folder has: no step of a schema was edited', async () => {
    await using fresh = await startNodeProcess({ jobs: true });
    expect(schemaOf(node.folder)).toEqual(schemaOf(fresh.folder));
  });

  it('accepts its keys, and answers as before', async () => {
    const caller = createClient({ url: node.url, key: kept.keys.infer });
    const features = { shape: [1, 2], data: Float32Array.of(17.99, 10.38) };
    const answer = async (): Promise<number[]> => {
      const { outputs } = await caller.infer('tumours', { features });
      return Array.from(outputs['probabilities']!.data as Float32Array);
    };
    const near = kept.answer.map((value) => expect.closeTo(value, 5) as number);
    expect(await answer()).toEqual(near);
    await expect(caller.listKeys()).rejects.toMatchObject({ code: 'SCOPE_MISSING' });
    await node.client.rollback({ name: 'tumours' });
    await expect.poll(answer, JOB).not.toEqual(near);
  });

  it('lists its versions, runs and audit trail, and counts on from them', async () => {
    const { versions } = await node.client.listVersions({ name: 'tumours' });
    expect(versions.map(({ version }) => version)).toEqual(['1', '2']);
    const { runs } = await node.client.listRuns({});
    expect(runs.map(({ status }) => status)).toEqual(['finished', 'finished']);
    const { entries } = await node.client.listAudit({ limit: 100 });
    expect(entries.map(({ action }) => action)).toContain('startFederation');
    const content = new Uint8Array(
      readFileSync(join(node.folder, '.skein/runs', runs[1]!.id, 'start.onnx')),
    );
    expect(await node.client.importModel({ name: 'tumours', content })).toMatchObject({
      version: '3',
    });
  });

  it('keeps its ended job, and runs the one that waited', async () => {
    const { client } = node;
    const done = await client.getJob({ id: kept.done });
    expect(done.state).toBe('succeeded');
    expect(await client.readJobLog({ id: kept.done })).toMatchObject({ text: 'printed\n' });
    expect(await artifact(done.result!.outputs[0]!.digest)).toBe('written\n');
    await client.setQueueMode({ queue: 'later', mode: 'open' });
    const stateOf = async () => (await client.getJob({ id: kept.waiting })).state;
    await expect.poll(stateOf, JOB).toBe('succeeded');
    expect((await client.listSchedules()).schedules).toMatchObject([{ id: 'yearly' }]);
    const { tenants } = await client.listTenants();
    expect(tenants).toContainEqual(expect.objectContaining({ tenant: 'shop', weight: 3 }));
  });

  it('keeps its artifacts, data sets, language models and federation', async () => {
    const { client } = node;
    expect(await artifact(kept.artifact)).toBe(readFileSync(SALES, 'utf8'));
    // The open node that wrote them took them for the tenant `default`.
    const { secret } = await client.createKey({ label: 'data', scopes: ['jobs'] });
    const tenant = createClient({ url: node.url, key: secret });
    const { versions } = await tenant.listData({});
    expect(versions.map((each) => each.name)).toEqual(kept.dataSet === undefined ? [] : ['sales']);
    for (const each of versions) {
      const { contents } = await tenant.getDataVersion({ name: each.name, version: each.version });
      expect(await artifact(contents.files[0]!.digest)).toBe(readFileSync(SALES, 'utf8'));
    }
    const { settings, budgets, redactions } = await client.getLanguageModels();
    expect(settings).toMatchObject({
      providers: [{ name: 'upstream' }],
      models: [{ name: 'assistant', routes: [{ provider: 'upstream', model: 'any' }] }],
    });
    expect(budgets).toMatchObject([{ subject: 'tenant:shop', limit: 5 }]);
    expect(redactions).toMatchObject([{ name: 'email' }]);
    expect(await client.getFederation({ id: kept.federation })).toMatchObject({
      status: 'running',
    });
    const ledger = await client.getLedger({ id: kept.federation });
    await verifyLedger(ledgerText(ledger as unknown as LedgerExport));
  });
});

it('refuses a folder that a newer version has used, and leaves it as it is', async () => {
  for (const file of ['state.sqlite', 'jobs.db', 'federations/federations.db']) {
    const { folder } = unpacked(WRITTEN.at(-1)!);
    const path = join(folder, '.skein', file);
    const newer = new DatabaseSync(path);
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    const before = readFileSync(path);
    const { code, stdout, stderr } = await runCli(['up', '--port', '0'], { cwd: folder });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`${file} has schema 99`);
    expect(stderr).toContain('Start the newer Skein');
    expect(readFileSync(path)).toEqual(before);
  }
});
