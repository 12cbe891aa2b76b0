/** The list of jobs in a real browser: its groups, its pages, and the events that it follows. */
import type { Browser, Page, Request } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser, problemsOf } from '../../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { spec } from './testing/console-subjects.ts';
import { startManagement, type TestNode } from './testing/start-management.ts';

const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('the list of jobs', { timeout: 60_000 }, () => {
  let browser: Browser;
  let node: TestNode;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    node = await startManagement();
    page = await browser.newPage();
    problems = problemsOf(page);
  });
  afterEach(async () => {
    await page.close();
    await node.close();
  });

  const open = (hash: string): Promise<unknown> => page.goto(`${node.url}/${hash}`);
  const row = (id: string) => page.locator(`tr[data-id="${id}"]`);

  it('holds no stream of events while its tab is hidden, and then shows what happened', async () => {
    const streams = new Set<Request>();
    page.on('request', (request) => request.url().includes('events') && streams.add(request));
    page.on('requestfailed', (request) => streams.delete(request));
    const setHidden = (hidden: boolean) =>
      page.evaluate((is) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => is });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
    await open('#/jobs');
    await page.getByText('There are no jobs yet.').waitFor();
    await expect.poll(() => streams.size).toBe(2);
    await setHidden(true);
    await expect.poll(() => streams.size).toBe(0);
    await node.jobs.enqueue([spec({ id: 'meanwhile' })]);
    await setHidden(false);
    await row('meanwhile').waitFor();
    await expect.poll(() => streams.size).toBe(2);
    await page.getByText('Live').waitFor();
    expect(problems).toEqual([]);
  });

  it('continues beyond the thousand newest jobs', async () => {
    for (const part of [0, 1]) {
      const numbers = Array.from({ length: 600 }, (_, index) => part * 600 + index);
      await node.jobs.enqueue(numbers.map((number) => spec({ id: `job-${number}` })));
    }
    await open('#/jobs');
    await row('job-1199').waitFor();
    const further = page.getByRole('link', { name: 'Still older' });
    // Fifty jobs at first, and a hundred more with each click, up to a thousand.
    for (let click = 1; click <= 10; click++)
      await page.getByRole('button', { name: 'Older' }).click();
    await further.click();
    await row('job-199').waitFor();
    expect(await row('job-200').count()).toBe(0);
    await page.getByRole('link', { name: 'Newest jobs' }).click();
    await row('job-1199').waitFor();
    expect(problems).toEqual([]);
  });

  it('fills its pages with a map of 220 shards, whose page has counts and a folded graph', async () => {
    await node.jobs.enqueue(Array.from({ length: 60 }, (_, at) => spec({ id: `before-${at}` })));
    await node.jobs.enqueue([spec({ id: 'map', name: 'the map' })]);
    const shard = (at: number) =>
      spec({ id: `shard-${at}`, name: `map ${at + 1}/220`, group: 'map' });
    await node.jobs.enqueue(Array.from({ length: 220 }, (_, at) => shard(at)));
    await node.jobs.cancel('shard-3', 'not needed');
    await open('#/jobs');
    await row('map').waitFor();
    expect(await page.locator('tr[data-id]').count()).toBe(50);
    await row('map').getByRole('link', { name: 'Its jobs' }).waitFor();

    await open('#/jobs/map');
    await page.getByRole('link', { name: '219 ready, 1 cancelled', exact: true }).waitFor();
    const graph = page.getByRole('group', { name: '220 jobs and what they wait for' });
    await graph.getByText('220 × map').waitFor();
    await graph.getByRole('link').click();
    await row('shard-3').waitFor();
    expect(await page.locator('tr[data-id]').count()).toBe(1);
    expect(problems).toEqual([]);
  });

  it('lists a pipeline, a map and a gang as a row each, and the graph of each on its page', async () => {
    const gang = (rank: number) => ({ id: 'band', size: 2, rank });
    await node.jobs.enqueue([
      spec({ id: 'run', name: 'the run' }),
      spec({ id: 'cut', name: 'cut', group: 'run' }),
      spec({ id: 'add', name: 'add', group: 'run', parents: ['cut'] }),
      spec({ id: 'rank-0', name: 'rank 0', group: 'band', gang: gang(0) }),
      spec({ id: 'rank-1', name: 'rank 1', group: 'band', gang: gang(1) }),
      spec({ id: 'alone', name: 'alone' }),
    ]);
    await open('#/jobs');
    await row('run').waitFor();
    const listed = () =>
      page.locator('tr[data-id]').evaluateAll((rows) => rows.map((each) => each.dataset['id']));
    expect(await listed()).toEqual(['alone', 'rank-0', 'run']);
    await row('run').getByRole('link', { name: 'Its jobs' }).click();
    await expect.poll(listed).toEqual(['add', 'cut']);
    await open('#/jobs?state=blocked');
    await row('add').waitFor();
    await open('#/jobs/run');
    await page.getByRole('link', { name: '1 blocked, 1 ready' }).waitFor();
    const graph = page.getByRole('group', { name: '2 jobs and what they wait for' });
    expect(await graph.locator('path').count()).toBe(1);
    await open('#/jobs/rank-1');
    await page.getByRole('heading', { name: 'Its gang' }).waitFor();
    expect(await graph.locator('path').count()).toBe(0);
    expect(problems).toEqual([]);
  });
});
