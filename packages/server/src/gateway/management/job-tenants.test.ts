/** A tenant learns nothing about another tenant over the API of jobs and artifacts. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createClient, type Client } from '@skein/api/client';
import { startManagement, type TestNode } from './testing/start-management.ts';

const work = { kind: 'command' as const, argv: ['true'] };
const unknown = { code: 'JOB_UNKNOWN' };

let node: TestNode;
let admin: Client;
let alice: Client;
let mallory: Client;
let malloryKey: string;
beforeEach(async () => {
  node = await startManagement({ access: 'keys', maxArtifactsBytes: 4 * 2 ** 20 });
  const client = async (tenant: string, scope: 'admin' | 'jobs') => {
    const { key, secret } = await node.keys.create({ label: tenant, tenant, scopes: [scope] });
    if (tenant === 'mallory') malloryKey = key.id;
    return createClient({ url: node.url, key: secret });
  };
  admin = await client('operators', 'admin');
  alice = await client('alice', 'jobs');
  mallory = await client('mallory', 'jobs');
});
afterEach(() => node.close());

const enqueue = async (client: Client, ...jobs: { id?: string; parents?: string[] }[]) =>
  (await client.enqueueJobs({ jobs: jobs.map((job) => ({ ...job, work })) })).jobs;

it('an id that a tenant chooses does not conflict with the same id of another tenant', async () => {
  for (const client of [alice, mallory]) {
    const [first, second] = await enqueue(client, { id: 'report' }, { parents: ['report'] });
    expect(first).toMatchObject({ id: 'report' });
    expect(second).toMatchObject({ parents: ['report'] });
    // A second request finds it by its name.
    const [third] = await enqueue(client, { id: 'next', parents: ['report'] });
    expect(third).toMatchObject({ id: 'next', parents: ['report'] });
    expect(await client.getJob({ id: 'report' })).toMatchObject({ id: 'report', state: 'ready' });
    await expect(enqueue(client, { id: 'report' })).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
    const { jobs } = await client.listJobs();
    expect(jobs.map(({ id }) => id)).toContain('report');
  }
  await mallory.cancelJob({ id: 'report' });
  expect(await mallory.getJob({ id: 'report' })).toMatchObject({ state: 'cancelled' });
  expect(await alice.getJob({ id: 'report' })).toMatchObject({ state: 'ready' });
  // The operator sees the tenant of each.
  expect(await admin.getJob({ id: 'alice:report' })).toMatchObject({ tenant: 'alice' });
  await expect(admin.getJob({ id: 'report' })).rejects.toMatchObject(unknown);
});

it('a job of another tenant is as unknown as one that does not exist', async () => {
  const [made] = await enqueue(alice, {});
  await enqueue(alice, { id: 'secret' });
  for (const id of [made!.id, 'alice:secret', 'secret', 'no-such']) {
    const asks = [
      () => mallory.getJob({ id }),
      () => mallory.readJobLog({ id }),
      () => mallory.cancelJob({ id }),
      () => mallory.reviveJob({ id }),
      () => enqueue(mallory, { parents: [id] }),
    ];
    for (const ask of asks) {
      await expect(ask()).rejects.toMatchObject({
        ...unknown,
        message: `There is no job "${id}".`,
      });
    }
  }
});

it('events have the tenant’s own ids, and only of its jobs', async () => {
  const end = new AbortController();
  const events = mallory.jobEvents({}, { signal: end.signal });
  const first = events.next();
  await enqueue(alice, { id: 'secret' });
  await expect
    .poll(async () => {
      await enqueue(mallory, {}).catch(() => undefined);
      return Promise.race([first, new Promise((resolve) => setTimeout(resolve, 50))]);
    })
    .toMatchObject({ value: { tenant: 'mallory' } });
  await enqueue(mallory, { id: 'mine' });
  for (;;) {
    const { value } = await events.next();
    expect(value).toMatchObject({ tenant: 'mallory' });
    if ((value as { job: string }).job === 'mine') break;
  }
  end.abort();
});

it('a digest opens nothing that the tenant has not sent itself', async () => {
  const content = randomBytes(1000);
  const { digest } = await alice.uploadArtifact({ content });
  const missing = 'f'.repeat(64);
  for (const asked of [digest, missing]) {
    const refused = {
      code: 'ARTIFACT_UNKNOWN',
      message: `There is no artifact sha256:${asked}.`,
    };
    await expect(mallory.getArtifact({ digest: asked })).rejects.toMatchObject(refused);
    await expect(mallory.downloadArtifact({ digest: asked })).rejects.toMatchObject(refused);
    for (const more of [{ inputs: [{ path: 'x', digest: asked }] }, { stdin: asked }]) {
      const job = { work: { ...work, ...more } };
      await expect(mallory.enqueueJobs({ jobs: [job] })).rejects.toMatchObject(refused);
    }
  }
  expect(await alice.getArtifact({ digest })).toMatchObject({ sizeBytes: 1000 });
  expect(await admin.getArtifact({ digest })).toMatchObject({ sizeBytes: 1000 });
  await alice.enqueueJobs({ jobs: [{ work: { ...work, stdin: digest } }] });
  // Uploading the content proves that it is known.
  await mallory.uploadArtifact({ content });
  expect(await mallory.getArtifact({ digest })).toMatchObject({ sizeBytes: 1000 });
});

it('a tenant is charged once for what it holds, and leaves space for other tenants', async () => {
  const bytes = (count: number) => randomBytes(count);
  const mib = bytes(2 ** 20);
  await mallory.uploadArtifact({ content: mib });
  await mallory.uploadArtifact({ content: mib });
  await mallory.uploadArtifact({ content: bytes(2 ** 20) });
  const refused = { code: 'ARTIFACT_QUOTA' };
  await expect(mallory.uploadArtifact({ content: bytes(1) })).rejects.toMatchObject(refused);
  // Each tenant is charged for the same content, so that the charge reveals nothing.
  await alice.uploadArtifact({ content: mib });
  await expect(alice.uploadArtifact({ content: bytes(2 ** 20) })).rejects.toMatchObject(refused);
  const { usage, durable } = await admin.getKey({ id: malloryKey });
  expect(durable).toBe(true);
  expect(usage).toEqual([
    { name: 'artifacts', unit: 'bytes', held: 2 ** 21, limit: 1.5 * 2 ** 20 },
    { name: 'queued_jobs', unit: 'count', held: 0, limit: 10_000 },
  ]);
});

it('a key below admin cannot queue without end', async () => {
  const jobs = Array.from({ length: 1000 }, () => ({ work }));
  await mallory.enqueueJobs({ jobs });
  await expect(mallory.enqueueJobs({ jobs })).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  await admin.putTenant({ tenant: 'mallory', weight: 1, jobsPerSecond: 1e6 });
  for (let queued = 1000; queued < 10_000; queued += 1000) await mallory.enqueueJobs({ jobs });
  await expect(enqueue(mallory, {})).rejects.toMatchObject({ code: 'TENANT_QUOTA' });
  await enqueue(alice, {});
});

it('a list of large jobs comes in pages that end by their bytes', { timeout: 20_000 }, async () => {
  const argv = ['true', ...Array.from({ length: 7 }, () => 'x'.repeat(100_000))];
  for (let count = 0; count < 50; count++) {
    await alice.enqueueJobs({ jobs: [{ work: { ...work, argv } }] });
  }
  const seen = new Set<string>();
  for (let after: string | undefined; ;) {
    const page = await alice.listJobs({ limit: 1000, ...(after === undefined ? {} : { after }) });
    expect(page.jobs.length).toBeLessThan(50);
    for (const { id } of page.jobs) seen.add(id);
    after = page.next;
    if (after === undefined) break;
  }
  expect(seen.size).toBe(50);
});
