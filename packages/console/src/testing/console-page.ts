/**
 * Tests of the console in Chromium: each has a page, and a node with the management API over a real
 * store. The tests change the store as workers would.
 */
import type { Browser, Locator, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { launchBrowser, problemsOf } from '../../../../scripts/testing/browser.ts';
import type { Claim, JobStore } from '../../../jobs/src/contract.ts';
import {
  startManagement,
  type TestNode,
} from '../../../server/src/gateway/management/testing/start-management.ts';
import { HOSTILE, SANDBOXES } from './subjects.ts';

/** A page and the errors and warnings that it has printed. */
export interface WatchedPage {
  readonly page: Page;
  readonly problems: readonly string[];
}

export const it = test
  .extend('browser', { scope: 'file' }, async ({}, { onCleanup }): Promise<Browser> => {
    const browser = await launchBrowser();
    onCleanup(() => browser.close());
    return browser;
  })
  .extend('node', async ({}, { onCleanup }): Promise<TestNode> => {
    const node = await startManagement({ sandboxes: SANDBOXES });
    onCleanup(() => node.close());
    return node;
  })
  .extend('watched', async ({ browser }, { onCleanup }): Promise<WatchedPage> => {
    const page = await browser.newPage();
    onCleanup(() => page.close());
    return { page, problems: problemsOf(page) };
  })
  .extend('page', ({ watched }) => watched.page)
  .extend('problems', ({ watched }) => watched.problems)
  .extend(
    'open',
    ({ node, page }) =>
      (hash: string): Promise<unknown> =>
        page.goto(`${node.url}/${hash}`),
  )
  .extend(
    'row',
    ({ page }) =>
      (id: string): Locator =>
        page.locator(`tr[data-id="${id}"]`),
  );

/** No text from other users has become markup or script. */
export async function expectUnharmed(
  { page, problems }: WatchedPage,
  title: string,
): Promise<void> {
  await expect.poll(() => page.locator('img').count()).toBe(0);
  expect(await page.title()).toBe(title);
  expect(problems).toEqual([]);
}

/** Claims the only job that is ready, as a worker whose name is hostile. */
export async function claim(jobs: JobStore): Promise<Claim> {
  const [claimed] = await jobs.claim({
    worker: `worker ${HOSTILE}`,
    queues: ['default'],
    free: { cores: 1, memoryBytes: 2 ** 40 },
    labels: [],
    max: 1,
    leaseMs: 60_000,
  });
  if (claimed === undefined) throw new Error('No job is ready.');
  return claimed;
}
