/** Every view of the console and the reference, by axe-core in a real browser. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barriersOf, launchBrowser } from '../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../scripts/testing/components.ts';
import { sampleRun } from '../../state/src/runs/testing/sample-run.ts';
import {
  startManagement,
  type TestNode,
} from '../../server/src/gateway/management/testing/start-management.ts';
import { addHeart } from './testing/data-sets.ts';
import { SANDBOXES, spec } from './testing/subjects.ts';

const VIEWS = [
  '#/',
  '#/try',
  '#/language',
  '#/jobs',
  '#/jobs/first',
  '#/queues',
  '#/data',
  '#/data/heart/1',
  '#/fleet',
  '#/devices',
  '#/federations',
  '#/runs',
  '#/runs/first',
  '#/runs/first/second',
  'docs',
];

const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('the pages of a node', { timeout: 60_000 }, () => {
  let browser: Browser;
  let node: TestNode;

  beforeAll(async () => {
    browser = await launchBrowser();
    node = await startManagement({ sandboxes: SANDBOXES });
    await node.jobs.enqueue([spec({ id: 'first' })]);
    await addHeart(node.url);
    for (const id of ['first', 'second']) {
      await fetch(`${node.url}/api/v1/runs/${id}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ run: sampleRun(id, {}) }),
      });
    }
  });
  afterAll(async () => {
    await browser?.close();
    await node?.close();
  });

  async function open(page: Page, view: string): Promise<void> {
    await page.goto(`${node.url}/${view}`);
    await page.locator('main :is(h1, h2)').first().waitFor();
    // The page has loaded when nothing changes any more; its stream of events never ends.
    let before = '';
    const isSame = async () => before === (before = await page.locator('main').innerHTML());
    await expect.poll(isSame, { interval: 100 }).toBe(true);
  }

  it.each([
    ['light', 1280],
    ['dark', 360],
  ] as const)('have no barrier: %s, %i pixels wide', async (colorScheme, width) => {
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } });
    for (const view of VIEWS) {
      await open(page, view);
      expect({ view, barriers: await barriersOf(page) }).toEqual({ view, barriers: [] });
    }
    await page.close();
  });
});
