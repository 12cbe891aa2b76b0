/**
 * A federation on a node: its API, three sites in Node, and one in a page of
 * Chromium, with secure aggregation and differential privacy on.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ledgerText, seenOf, verifyLedger, type LedgerExport } from '@skein/federation';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, problemsOf } from '../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { type FederationNode, rowsOf, startFederationNode } from './testing/federation-node.ts';

const ROUNDS = 2;

let node: FederationNode;
beforeAll(async () => {
  node = await startFederationNode();
}, 60_000);
afterAll(() => node?.close());

it('refuses a plan that breaks its own promise, and an unknown federation, with a code', async () => {
  const privacy = { mode: 'patient', denominator: 100 };
  await expect(
    node.begin({ strategy: { name: 'fedsgd' }, privacy, local: { steps: 5 }, rounds: ROUNDS }),
  ).rejects.toMatchObject({ code: 'PLAN_INVALID' });
  await expect(node.client.getFederation({ id: 'f-none' })).rejects.toMatchObject({
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
    const federation = await node.begin({
      rounds: ROUNDS,
      strategy: { name: 'fedsgd', learningRate: 2 },
      privacy: { mode: 'patient', epsilon: 3, denominator: 100 },
      aggregation: { kind: 'pairwise', range: 50 },
      sites: { minimum: 4, maximum: 4 },
    });
    const { id } = federation;
    const sites = [1, 2, 3].map((seed) => node.join(id, `node-${seed}`, seed));
    const { invitation } = await node.client.inviteSite({ id, name: 'page' });
    const page = await browser.newPage();
    const problems = problemsOf(page);
    await page.goto(`${node.url}/join#${invitation}`);
    await page.waitForSelector('#plan', { timeout: 60_000 });
    expect(await page.textContent('#plan')).toContain('masked numbers');
    const file = join(node.folder, 'page.csv');
    await writeFile(file, rowsOf(4));
    await page.setInputFiles('#file', file);
    await page.waitForSelector('#rows');
    await page.click('#accept');
    await page.waitForSelector('#training[data-end=finished]', { timeout: 120_000 });
    const ends = await Promise.all(sites);
    expect(ends.map(({ status }) => status)).toEqual(['finished', 'finished', 'finished']);
    const done = await node.until(id, ({ version }) => version !== undefined);
    expect(done).toMatchObject({ status: 'finished', round: ROUNDS, name: 'risk' });
    expect(done.spent[0]!.epsilon).toBeLessThanOrEqual(3);
    expect(done.spent[0]!.epsilon).toBeGreaterThan(2);
    const version = await node.client.getVersion({ name: 'risk', version: done.version! });
    expect(version.metadata).toMatchObject({ federation: id, rounds: String(ROUNDS) });
    const text = ledgerText((await node.client.getLedger({ id })) as unknown as LedgerExport);
    const verified = await verifyLedger(text);
    expect(verified).toMatchObject({ rounds: ROUNDS, releases: ROUNDS });
    expect(verified.witnesses.size).toBe(4);
    // The last entry that the page has signed is in it.
    const seen = seenOf((await page.textContent('#seen'))!.split(' ').at(-1)!);
    expect(seen.sequence).toBeGreaterThan(ROUNDS);
    await expect(verifyLedger(text, { seen })).resolves.toMatchObject({ rounds: ROUNDS });
    await expect(verifyLedger(text.replace('"clip":1', '"clip":2'))).rejects.toMatchObject({
      code: 'LEDGER_INVALID',
    });
    expect(problems).toEqual([]);
  }, 180_000);
});
