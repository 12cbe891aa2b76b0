/** The pages of federations in a real browser: from an empty list to a ledger that verifies. */
import { readFile } from 'node:fs/promises';
import { verifyLedger } from '../../../federation/src/ledger/verify.ts';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, problemsOf } from '../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import {
  type FederationNode,
  startFederationNode,
} from '../../../server/src/federations/testing/federation-node.ts';

const SHOTS = process.env['SKEIN_SCREENSHOTS'];
const ROUNDS = 5;
const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('the pages of federations', { timeout: 120_000 }, () => {
  let browser: Browser;
  let node: FederationNode;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    [browser, node] = await Promise.all([launchBrowser(), startFederationNode()]);
    page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
    problems = problemsOf(page);
  });
  afterAll(async () => {
    await browser?.close();
    await node?.close();
  });
  const shot = async (name: string): Promise<void> => {
    if (SHOTS === undefined) return;
    await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
  };

  it('shows rounds, sites and privacy spent; pauses and revokes; gives a ledger that verifies', async () => {
    await page.goto(`${node.url}/#/federations`);
    await page.getByText('This node coordinates no federation yet.').waitFor();

    const { id } = await node.begin({
      rounds: ROUNDS,
      strategy: { name: 'fedsgd', learningRate: 2 },
      privacy: { mode: 'patient', epsilon: 3, denominator: 100 },
      aggregation: { kind: 'pairwise', range: 50 },
      sites: { minimum: 3, maximum: 4 },
    });
    await page.locator(`[data-id="${id}"]`).getByRole('link', { name: 'risk' }).click();
    await page.getByText('No site has used its invitation yet.').waitFor();

    // A paused federation begins no round, so that the fourth site can be revoked before the first.
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByLabel('Reason, for the ledger').fill('until all are here');
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await page.locator('.head', { hasText: 'paused' }).waitFor();
    const ends = ['Cleveland', 'Budapest', 'Basel'].map((name, seed) => node.join(id, name, seed));
    const stranger = node.join(id, 'Stranger', 4).catch((error: unknown) => error);
    await page.locator('tr', { hasText: 'Stranger' }).getByText('connected').waitFor();
    await page
      .locator('tr', { hasText: 'Stranger' })
      .getByRole('button', { name: 'Revoke' })
      .click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    expect(await stranger).toMatchObject({ code: 'IDENTITY_REVOKED' });
    await page.locator('tr', { hasText: 'Stranger' }).getByText('revoked').waitFor();

    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
    expect((await Promise.all(ends)).map(({ status }) => status)).toEqual(
      Array.from({ length: 3 }, () => 'finished'),
    );
    const { spent } = await node.until(id, ({ version }) => version !== undefined);
    await page.getByText('risk v2').waitFor();
    await page.getByText(`${ROUNDS} of ${ROUNDS}`, { exact: true }).waitFor();
    expect(await page.locator('tr', { hasText: '3 of 3' }).count()).toBe(ROUNDS);
    expect(await page.locator('#budget .chart').getAttribute('data-points')).toBe(
      // The budget spent if no site colludes, and if one does.
      `${ROUNDS + 1} ${ROUNDS + 1}`,
    );
    await page.getByText(`ε ${spent.at(-1)!.epsilon!.toFixed(3)} of 3`, { exact: true }).waitFor();
    await shot('federation');

    await page.getByRole('link', { name: 'Every entry' }).click();
    await page.locator('tr', { hasText: 'until all are here' }).waitFor();
    expect(await page.locator('tr', { hasText: 'finished round' }).count()).toBe(ROUNDS);
    await shot('ledger');
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download' }).click();
    const file = await downloading;
    expect(file.suggestedFilename()).toBe(`${id}.ledger.json`);
    const verified = await verifyLedger(await readFile(await file.path(), 'utf8'));
    expect(verified).toMatchObject({ run: id, rounds: ROUNDS });

    await page.getByRole('link', { name: 'Federations' }).click();
    await page.locator(`[data-id="${id}"]`, { hasText: 'finished' }).waitFor();
    await shot('federations');
    expect(problems).toEqual([]);
  });

  it('shows the counts of a federation: reliability, performance by site, and drift', async () => {
    const { id } = await node.begin({
      rounds: 1,
      strategy: {
        name: 'statistics',
        tables: [
          [{ kind: 'score', low: -2, high: 2 }, { kind: 'label' }, { kind: 'column', name: 'sex' }],
          [{ kind: 'column', name: 'age' }],
        ],
        bySite: true,
      },
      privacy: { mode: 'patient', noise: 0.1, epsilon: 1e6 },
      aggregation: { kind: 'pairwise', range: 100 },
      sites: { minimum: 3, maximum: 3 },
    });
    await Promise.all(
      ['Cleveland', 'Budapest', 'Basel'].map((name, seed) => node.join(id, name, seed)),
    );
    await node.until(id, ({ status }) => status === 'finished');
    const found = await node.client.getStatistics({ id });
    expect(found.tables.map(({ axes }) => axes.map(({ name }) => name))).toEqual([
      ['score', 'ill', 'sex'],
      ['age'],
    ]);
    await page.goto(`${node.url}/#/federations/${id}`);
    const statistics = page.locator('#statistics');
    await statistics.getByText('Counts of score × ill × sex').waitFor();
    const [all] = found.report[0]!.scored;
    // The figures of the answer, under the names that the operator gave.
    const row = statistics.locator('tr', { hasText: 'all sites' }).first();
    await row.getByText(all!.ranking!.auc.toFixed(3)).waitFor();
    expect(await statistics.locator('tr', { hasText: 'Cleveland' }).count()).toBe(4);
    expect(await statistics.locator('tr', { hasText: 'sex = 1' }).count()).toBe(1);
    expect(await statistics.locator('.chart').getAttribute('data-points')).toMatch(/^\d+ \d+$/);
    expect(await page.getByText('Distance to the others').count()).toBeGreaterThan(0);
    await shot('statistics');
    await page.setViewportSize({ width: 390, height: 844 });
    await shot('statistics-narrow');
    expect(problems).toEqual([]);
  });
});
