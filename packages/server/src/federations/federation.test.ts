/**
 * A federation on a node: its API, three sites in Node, and one in a page of
 * Chromium, with secure aggregation and differential privacy on.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '@skein/api/client';
import type { FederationView } from '@skein/api';
import { invitationOf, ledgerText, verifyLedger, type LedgerExport } from '@skein/federation';
import { openWork, readSiteRows, runSite } from '@skein/federation/site';
import { openSocket, openSqliteMemory } from '@skein/federation/site/node';
import { mlp, seededRandom, writeModel } from '@skein/onnx';
import { assemblePublic } from '@skein/train';
import { nativeBackend } from '@skein/train/native';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, problemsOf } from '../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { startNode, type RunningNode } from '../node.ts';

const DATA = {
  features: [
    { name: 'age', kind: 'number', low: 20, high: 80 },
    { name: 'sex', kind: 'category', categories: ['0', '1'] },
  ],
  target: { name: 'ill', kind: 'category', classes: ['0', '1'] },
} as const;
const ROUNDS = 2;

/** Old people are ill. */
function rowsOf(seed: number): string {
  const random = seededRandom(seed);
  const rows = Array.from({ length: 40 }, () => {
    const age = Math.round(20 + 60 * random.next());
    return `${age},${random.next() < 0.5 ? 0 : 1},${age > 50 ? 1 : 0}`;
  });
  return ['age,sex,ill', ...rows].join('\n');
}

let folder: string;
let node: RunningNode;
let client: Client;

const start = () =>
  startNode({
    host: '127.0.0.1',
    port: 0,
    portIsDefault: false,
    grpcPort: 0,
    grpcPortIsDefault: false,
    dataFolder: join(folder, 'node'),
    maxBodyBytes: 2 ** 24,
    access: 'auto',
    log: 'json',
    logLevel: 'error',
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-federation-'));
  node = await start();
  client = createClient({ url: node.url });
}, 60_000);
afterAll(async () => {
  await node?.drain();
  await rm(folder, { recursive: true, force: true });
});

async function begun(plan: Readonly<Record<string, unknown>>): Promise<FederationView> {
  const model = assemblePublic(
    DATA,
    ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, outputs], seed }),
    1,
  );
  const content = new Uint8Array(writeModel(model));
  const { version } = await client.importModel({ name: 'risk', content });
  return client.startFederation({
    model: 'risk',
    version,
    plan: { data: structuredClone(DATA), rounds: ROUNDS, ...plan } as never,
  });
}

async function siteOf(id: string, name: string, seed: number, signal: AbortSignal) {
  const { invitation: text } = await client.inviteSite({ id, name });
  const invitation = invitationOf(text);
  const memory = openSqliteMemory(join(folder, `${id}-${name}.db`));
  const keys = await memory.identity();
  const joined = (until: AbortSignal) =>
    runSite({
      invitation,
      open: () => openSocket(node.url),
      memory,
      consent: async () => {},
      prepare: async (joined, fetchModel) =>
        openWork({
          joined,
          run: invitation.run,
          keys,
          model: await fetchModel(),
          rows: await readSiteRows(joined.plan.data, new TextEncoder().encode(rowsOf(seed))),
          backend: nativeBackend,
        }),
      signal: until,
    });
  return { end: joined(signal), memory };
}

async function until(
  id: string,
  holds: (view: FederationView) => boolean,
): Promise<FederationView> {
  for (;;) {
    const view = await client.getFederation({ id });
    if (holds(view)) return view;
    if (view.status === 'failed') throw new Error(view.reason);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

it('refuses a plan that breaks its own promise, and an unknown federation, with a code', async () => {
  const privacy = { mode: 'patient', denominator: 100 };
  await expect(
    begun({ strategy: { name: 'fedsgd' }, privacy, local: { steps: 5 } }),
  ).rejects.toMatchObject({ code: 'PLAN_INVALID' });
  await expect(client.getFederation({ id: 'f-none' })).rejects.toMatchObject({
    code: 'FEDERATION_UNKNOWN',
  });
});

const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('with a page of Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  }, 60_000);
  afterAll(() => browser?.close());

  it('finishes beside three sites in Node; the model is a version and the ledger verifies', async () => {
    const federation = await begun({
      strategy: { name: 'fedsgd', learningRate: 2 },
      privacy: { mode: 'patient', epsilon: 3, denominator: 100 },
      aggregation: { kind: 'pairwise', range: 50 },
      sites: { minimum: 4, maximum: 4 },
    });
    const { id } = federation;
    const { signal } = new AbortController();
    const sites = await Promise.all(
      [1, 2, 3].map((seed) => siteOf(id, `node-${seed}`, seed, signal)),
    );
    const { invitation } = await client.inviteSite({ id, name: 'page' });
    const page = await browser.newPage();
    const problems = problemsOf(page);
    await page.goto(`${node.url}/join#${invitation}`);
    await page.waitForSelector('#plan', { timeout: 60_000 });
    expect(await page.textContent('#plan')).toContain('masked numbers');
    const file = join(folder, 'page.csv');
    await writeFile(file, rowsOf(4));
    await page.setInputFiles('#file', file);
    await page.waitForSelector('#rows');
    await page.click('#accept');
    await page.waitForSelector('#training[data-end=finished]', { timeout: 120_000 });
    const ends = await Promise.all(sites.map(({ end }) => end));
    expect(ends.map(({ status }) => status)).toEqual(['finished', 'finished', 'finished']);
    const done = await until(id, ({ version }) => version !== undefined);
    expect(done).toMatchObject({ status: 'finished', round: ROUNDS, name: 'risk' });
    expect(done.spent[0]!.epsilon).toBeLessThanOrEqual(3);
    expect(done.spent[0]!.epsilon).toBeGreaterThan(2);
    const version = await client.getVersion({ name: 'risk', version: done.version! });
    expect(version.metadata).toMatchObject({ federation: id, rounds: String(ROUNDS) });
    const text = ledgerText((await client.getLedger({ id })) as unknown as LedgerExport);
    const verified = await verifyLedger(text);
    expect(verified).toMatchObject({ rounds: ROUNDS, releases: ROUNDS });
    expect(verified.witnesses.size).toBe(4);
    await expect(verifyLedger(text.replace('"clip":1', '"clip":2'))).rejects.toMatchObject({
      code: 'LEDGER_INVALID',
    });
    expect(problems).toEqual([]);
    await Promise.all(sites.map(({ memory }) => memory.close()));
  }, 180_000);
});
