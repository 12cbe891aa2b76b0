/**
 * Pages of Chromium that are closed as soon as their one message has arrived, with a site in Node: the
 * round continues without them. SKEIN_FULL=1 takes sixty pages.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invitationOf, ledgerText, verifyLedger, type LedgerExport } from '@skein/federation';
import { committeeWork, runSite } from '@skein/federation/site';
import { openSocket, openSqliteMemory } from '@skein/federation/site/node';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, problemsOf } from '../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { type FederationNode, rowsOf, startFederationNode } from './testing/federation-node.ts';

const isFull = process.env['SKEIN_FULL'] === '1';
const PAGES = isFull ? 60 : 2;
/** Pages that are opened at a time. */
const AT_ONCE = 4;
const timeout = isFull ? 900_000 : 180_000;
const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('pages that are closed', () => {
  let browser: Browser;
  let node: FederationNode;
  const leaving = new AbortController();
  beforeAll(async () => {
    [browser, node] = await Promise.all([launchBrowser(), startFederationNode()]);
  }, 60_000);
  afterAll(async () => {
    leaving.abort();
    await browser?.close();
    await node?.close();
  });

  /** A site in Node that sends its message when `after` resolves. */
  async function lastSite(id: string, after: Promise<unknown>) {
    const { invitation: text } = await node.client.inviteSite({ id, name: 'last' });
    const invitation = invitationOf(text);
    const memory = openSqliteMemory(':memory:');
    const keys = await memory.identity();
    const update = async (_: number, { length }: Float32Array) => {
      await after;
      return { numbers: new Float64Array(length).fill(0.1), weight: 1 };
    };
    return runSite({
      invitation,
      open: () => openSocket(node.url),
      memory,
      consent: async () => {},
      prepare: (joined) =>
        committeeWork({ ...joined, run: invitation.run, keys, training: { update } }),
      signal: leaving.signal,
    });
  }

  /** Takes part through the page, each time as another browser. @returns closes the page once its message has arrived. */
  async function openPage(invitation: string, file: string): Promise<() => Promise<void>> {
    const context = await browser.newContext();
    const page = await context.newPage();
    const problems = problemsOf(page);
    await page.goto(`${node.url}/join#${invitation}`);
    await page.waitForSelector('#plan', { timeout });
    expect(await page.textContent('#plan')).toContain('Delft, key');
    await page.setInputFiles('#file', file);
    await page.waitForSelector('#rows', { timeout });
    await page.click('#accept');
    return async () => {
      await page.waitForSelector('#stored', { timeout });
      expect(problems).toEqual([]);
      await context.close();
    };
  }

  it(
    `do no harm to the round of ${PAGES} of them`,
    async () => {
      const helpers = await Promise.all(['Basel', 'Delft'].map((name) => node.helper(name)));
      const { id } = await node.begin({
        strategy: { name: 'fedavg' },
        rounds: 1,
        local: { steps: 5 },
        privacy: { mode: 'client', clip: 1, epsilon: 5, delta: 1e-5 },
        aggregation: { kind: 'committee', helpers: helpers.map(({ planned }) => planned) },
        sites: { minimum: PAGES + 1, maximum: PAGES + 1, threshold: PAGES + 1 },
      });
      const ends = helpers.map((helper) => helper.help(id));
      const closed = Promise.withResolvers<void>();
      ends.push(lastSite(id, closed.promise));
      const { invitation } = await node.client.inviteSite({ id, name: 'page', uses: PAGES });
      const closing: (() => Promise<void>)[] = [];
      for (let from = 0; from < PAGES; from += AT_ONCE) {
        const some = Array.from({ length: Math.min(AT_ONCE, PAGES - from) }, async (_, i) => {
          const file = join(node.folder, `page-${from + i}.csv`);
          await writeFile(file, rowsOf(from + i));
          closing.push(await openPage(invitation, file));
        });
        await Promise.all(some);
      }
      await Promise.all(closing.map((close) => close()));
      closed.resolve();
      expect((await Promise.all(ends)).map(({ status }) => status)).toEqual([
        'finished',
        'finished',
        'finished',
      ]);
      const text = ledgerText((await node.client.getLedger({ id })) as unknown as LedgerExport);
      expect(await verifyLedger(text)).toMatchObject({ rounds: 1, releases: 1, aborted: 0 });
      const console = await browser.newPage();
      await console.goto(`${node.url}/#/federations/${id}`);
      await console.getByText('ε with 1 helper colluding').first().waitFor({ timeout });
      expect(await console.locator('section', { hasText: 'Helpers' }).last().textContent()).toMatch(
        /Basel.*Delft|Delft.*Basel/,
      );
      expect(await console.getByText(`${PAGES + 1} of ${PAGES + 1}`).count()).toBeGreaterThan(0);
      const { sites } = await node.client.getFederation({ id });
      expect(sites.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['page 1', `page ${PAGES}`, 'last', 'Basel', 'Delft']),
      );
    },
    timeout,
  );
});
