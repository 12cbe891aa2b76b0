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
import {
  type FederationNode,
  federationsOn,
  rowsOf,
  startFederationNode,
} from './testing/federation-node.ts';

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
  for (const own of [{ name: 'study 7' }, { task: 'regression' }, { model: { digest: 'f' } }]) {
    await expect(
      node.begin({ ...own, strategy: { name: 'fedsgd' }, privacy, rounds: ROUNDS }),
    ).rejects.toMatchObject({
      code: 'PLAN_INVALID',
      message: expect.stringContaining(`its ${Object.keys(own)[0]} is`),
    });
  }
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

  it('finishes with three sites in Node; the model is a version and the ledger verifies', async () => {
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
    const spent = done.spent.at(-1)!.epsilon;
    expect(spent).toBeLessThanOrEqual(3);
    expect(spent).toBeGreaterThan(2);
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

  it('finishes with three sites in Node; one of them dies in each round', async () => {
    const rounds = 3;
    const { id } = await node.begin({
      rounds,
      strategy: { name: 'fedsgd' },
      privacy: { mode: 'patient', epsilon: 3, denominator: 100 },
      aggregation: { kind: 'pairwise', range: 50 },
      sites: { minimum: 4, maximum: 4 },
      deadlines: { phaseMs: 4000, trainMs: 4000 },
    });
    /** A site that dies when it is asked to train in a round, and is started again after it. */
    async function mortal(seed: number): Promise<void> {
      const name = `mortal-${seed}`;
      const life = new AbortController();
      const first = federationsOn(node.url, node.folder, life.signal).join(
        id,
        name,
        seed,
        (work) => async (task) => {
          if (task.place.phase !== 'input' || task.place.round !== seed - 1) return work(task);
          life.abort();
          throw new Error('The site is dead.');
        },
      );
      await first;
      expect(life.signal.aborted).toBe(true);
      await node.until(id, ({ round, status }) => round >= seed || status === 'finished');
      if (seed < rounds) expect(await node.join(id, name, seed)).toMatchObject({ round: rounds });
    }
    const sites = [1, 2, 3].map(mortal);
    const { invitation } = await node.client.inviteSite({ id, name: 'page' });
    const page = await browser.newPage();
    await page.goto(`${node.url}/join#${invitation}`);
    await page.waitForSelector('#plan', { timeout: 60_000 });
    const file = join(node.folder, 'other.csv');
    await writeFile(file, rowsOf(4));
    await page.setInputFiles('#file', file);
    await page.waitForSelector('#rows');
    await page.click('#accept');
    await page.waitForSelector('#training[data-end=finished]', { timeout: 120_000 });
    await Promise.all(sites);
    const ledger = (await node.client.getLedger({ id })) as unknown as LedgerExport;
    const survivors = ledger.entries.flatMap(({ event }) =>
      event.kind === 'finished-round' ? [event.survivors.length] : [],
    );
    expect(survivors).toEqual([3, 3, 3]);
    const verified = await verifyLedger(ledgerText(ledger));
    expect(verified).toMatchObject({ rounds, aborted: 0, releases: rounds });
    await page.close();
  }, 180_000);

  it('continues with a page that was closed in the middle of a round and opened again', async () => {
    const { id } = await node.begin({
      rounds: 2,
      strategy: { name: 'fedsgd' },
      privacy: { mode: 'patient', noise: 5, epsilon: 20, denominator: 100 },
      aggregation: { kind: 'pairwise', range: 50 },
      sites: { minimum: 3, maximum: 3 },
    });
    const [asked, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const sites = [1, 2].map((seed) =>
      node.join(id, `held-${seed}`, seed, (work) => async (task) => {
        if (task.place.phase === 'input' && task.place.round === 0) {
          asked.resolve();
          await closed.promise;
        }
        return work(task);
      }),
    );
    const { invitation } = await node.client.inviteSite({ id, name: 'tab' });
    const context = await browser.newContext();
    const file = join(node.folder, 'tab.csv');
    await writeFile(file, rowsOf(3));
    const open = async () => {
      const page = await context.newPage();
      await page.goto(`${node.url}/join#${invitation}`);
      await page.waitForSelector('#plan', { timeout: 60_000 });
      await page.setInputFiles('#file', file);
      await page.waitForSelector('#rows', { timeout: 60_000 });
      await page.click('#accept');
      return page;
    };
    const first = await open();
    await asked.promise;
    await first.close();
    await node.until(id, ({ sites: all }) =>
      all.some((each) => each.name === 'tab' && !each.connected),
    );
    closed.resolve();
    const second = await open();
    await second.waitForSelector('#training[data-end=finished]', { timeout: 120_000 });
    expect((await Promise.all(sites)).map(({ status }) => status)).toEqual([
      'finished',
      'finished',
    ]);
    const ledger = (await node.client.getLedger({ id })) as unknown as LedgerExport;
    // The same site, once: no attempt was lost, and no release was charged twice.
    const kinds = ledger.entries.map(({ event }) => event.kind);
    expect(kinds.filter((kind) => kind === 'accepted')).toHaveLength(3);
    expect(kinds).not.toContain('aborted');
    expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ rounds: 2, releases: 2 });
    const [round] = ledger.entries.flatMap(({ event }) =>
      event.kind === 'finished-round' ? [event.survivors.length] : [],
    );
    expect(round).toBe(3);
    await context.close();
  }, 180_000);
});
