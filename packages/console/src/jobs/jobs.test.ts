/** The list of jobs in Chromium: its groups, its filters, its pages, and the events that it follows. */
import type { Request } from 'playwright-core';
import { describe, expect } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { claim, expectUnharmed, it } from '../testing/console-page.ts';
import { HOSTILE, spec } from '../testing/subjects.ts';

describe.skipIf(requireComponent('chromium').skip)('the list of jobs', () => {
  it('shows jobs as they are enqueued, run and end, and filters them', async ({
    node,
    open,
    page,
    row,
    watched,
  }) => {
    await node.jobs.enqueue([spec({ id: 'first', name: HOSTILE })]);
    await open('#/jobs');
    await row('first').getByText(HOSTILE, { exact: true }).waitFor();
    await row('first').getByText('ready').waitFor();
    await node.jobs.enqueue([spec({ id: 'second', queue: 'nightly' })]);
    await row('second').waitFor();
    const { token } = await claim(node.jobs);
    await row('first').getByText('running').waitFor();
    await node.jobs.progress(token, 0.25, `a quarter ${HOSTILE}`);
    await row('first').getByText('25.0% a quarter').waitFor();
    await expect
      .poll(() => row('first').getByRole('progressbar').getAttribute('aria-valuenow'))
      .toBe('25');
    await node.jobs.finish(token, {
      kind: 'failed',
      cause: 'exit-code',
      message: `exited ${HOSTILE}`,
      retryable: true,
    });
    await row('first').getByText('dead, exit code').waitFor();
    await row('first').getByText(`exited ${HOSTILE}`).waitFor();

    await page.getByLabel('State').selectOption('dead');
    await row('second').waitFor({ state: 'detached' });
    expect(new URL(page.url()).hash).toBe('#/jobs?state=dead');
    await page.getByLabel('Queue').fill('nightly');
    await page.getByLabel('Queue').press('Enter');
    await page.getByText('There are no such jobs.').waitFor();
    await page.getByLabel('State').selectOption('');
    await row('second').waitFor();
    await expect.poll(() => row('first').count()).toBe(0);
    await expectUnharmed(watched, 'Jobs – Skein');
  });

  it('shows marks that turn text around in names and commands, instead of obeying them', async ({
    node,
    open,
    page,
    row,
  }) => {
    const turned = 'a \u202Eeb\u202C c';
    const argv = ['echo', turned];
    const work = { kind: 'command', argv, inputs: [], outputs: [], limits: {} } as const;
    await node.jobs.enqueue([spec({ id: 'turned', name: turned, work })]);
    await open('#/jobs');
    await row('turned')
      .getByText(String.raw`a \u202eeb\u202c c`, { exact: true })
      .click();
    const command = page.getByText(String.raw`echo 'a \u202eeb\u202c c'`, { exact: true });
    await command.waitFor();
    expect(await command.count()).toBe(1);
  });

  it('requests lists a few times, however many events there are', async ({
    node,
    open,
    page,
    row,
  }) => {
    await node.jobs.enqueue(Array.from({ length: 30 }, (_, index) => spec({ id: `job-${index}` })));
    let asked = 0;
    page.on('request', (request) => {
      if (new URL(request.url()).pathname === '/api/v1/jobs') asked += 1;
    });
    await open('#/jobs');
    await row('job-29').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    for (let done = 0; done < 30; done += 1) {
      const { token } = await claim(node.jobs);
      await node.jobs.finish(token, {
        kind: 'succeeded',
        result: { value: null, outputs: [] },
      });
    }
    for (let index = 0; index < 30; index += 1) {
      await row(`job-${index}`).getByText('succeeded').waitFor();
    }
    expect(asked).toBeLessThan(15);
  });

  it('holds no stream of events while its tab is hidden, and then shows what happened', async ({
    node,
    open,
    page,
    problems,
    row,
  }) => {
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

  it('continues beyond the thousand newest jobs', async ({ node, open, page, problems, row }) => {
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

  it('fills its pages with a map of 220 shards, whose page has counts and a folded graph', async ({
    node,
    open,
    page,
    problems,
    row,
  }) => {
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

  it('lists a pipeline, a map and a gang as a row each, and the graph of each on its page', async ({
    node,
    open,
    page,
    problems,
    row,
  }) => {
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
