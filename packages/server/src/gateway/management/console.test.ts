/**
 * The views of jobs, queues and runs in a real browser, against the management API over a real
 * store. The tests change the store as workers would.
 */
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createClient } from '@skein/api';
import { programOf } from '@skein/api/commands';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser, problemsOf } from '../../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import type { Claim } from '../../../../jobs/src/contract.ts';
import { sampleRun } from '../../../../state/src/runs/testing/sample-run.ts';
import { echoFile, HOSTILE, SANDBOXES, spec } from './testing/console-subjects.ts';
import { onnxFile, startManagement, type TestNode } from './testing/start-management.ts';

const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('the console', { timeout: 60_000 }, () => {
  let browser: Browser;
  let node: TestNode;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    node = await startManagement({ sandboxes: SANDBOXES });
    page = await browser.newPage();
    problems = problemsOf(page);
  });
  afterEach(async () => {
    await page.close();
    await node.close();
  });

  const open = (hash: string): Promise<unknown> => page.goto(`${node.url}/${hash}`);
  const row = (id: string) => page.locator(`tr[data-id="${id}"]`);

  /** No text from other users has become markup or script. */
  async function expectUnharmed(title: string): Promise<void> {
    await expect.poll(() => page.locator('img').count()).toBe(0);
    expect(await page.title()).toBe(title);
    expect(problems).toEqual([]);
  }

  async function claim(): Promise<Claim> {
    const [claimed] = await node.jobs.claim({
      worker: `worker ${HOSTILE}`,
      queues: ['default'],
      free: { cores: 1, memoryBytes: 2 ** 40 },
      labels: [],
      max: 1,
      leaseMs: 60_000,
    });
    if (claimed === undefined) throw new Error('There was nothing to claim.');
    return claimed;
  }

  it('shows jobs as they are enqueued, run and end, and filters them', async () => {
    await node.jobs.enqueue([spec({ id: 'first', name: HOSTILE })]);
    await open('#/jobs');
    await row('first').getByText(HOSTILE, { exact: true }).waitFor();
    await row('first').getByText('ready').waitFor();
    await node.jobs.enqueue([spec({ id: 'second', queue: 'nightly' })]);
    await row('second').waitFor();
    const { token } = await claim();
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
    await expectUnharmed('Jobs – Skein');
  });

  it('shows marks that turn text around in names and commands, instead of obeying them', async () => {
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

  it('shows one job with its attempts, follows its log, and gives its outputs', async () => {
    await node.jobs.enqueue([spec({ id: 'job:1', name: HOSTILE, group: 'group-1' })]);
    await open('#/jobs/job%3A1');
    await page.getByRole('heading', { name: HOSTILE }).waitFor();
    const { token } = await claim();
    const log = page.getByRole('region', { name: 'Log' });
    const first = Buffer.from(`line 1 ${HOSTILE}\n`);
    await node.jobs.appendLog(token, 0, first);
    await log.getByText(`line 1 ${HOSTILE}`).waitFor();
    await node.jobs.appendLog(token, first.length, Buffer.from('line 2\n'));
    await log.getByText('line 2').waitFor();
    await expect.poll(() => log.textContent()).toBe(`line 1 ${HOSTILE}\nline 2\n`);

    const { digest, sizeBytes } = await node.artifacts.put(
      Readable.from([Buffer.from('what came out')]),
      1024,
    );
    await node.jobs.finish(token, {
      kind: 'succeeded',
      result: { value: null, outputs: [{ path: 'out/result.txt', digest, sizeBytes }] },
      usage: { cpuMs: 1234, peakMemoryBytes: 64 * 1024 * 1024 },
    });
    await page.getByText('64.0 MiB').waitFor();
    await page.getByText('1234 ms').waitFor();
    const downloading = page.waitForEvent('download');
    await page.getByRole('link', { name: 'out/result.txt' }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe('result.txt');
    expect(await readFile(await download.path(), 'utf8')).toBe('what came out');
    await expect.poll(() => page.getByRole('button', { name: /Cancel|Revive/ }).count()).toBe(0);
    await page.getByRole('link', { name: 'group-1' }).click();
    await row('job:1').waitFor();
    await expectUnharmed('Jobs – Skein');
  });

  it('cancels and revives after confirmation, by keyboard too', async () => {
    await node.jobs.enqueue([spec({ id: 'job-1' })]);
    await open('#/jobs/job-1');
    const dialog = page.getByRole('dialog');
    const cancel = page.getByRole('button', { name: 'Cancel', exact: true });
    await cancel.focus();
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    expect((await node.jobs.job('job-1'))?.state).toBe('ready');
    await cancel.click();
    await dialog.getByRole('button', { name: 'Leave it' }).click();
    await dialog.waitFor({ state: 'hidden' });
    expect((await node.jobs.job('job-1'))?.state).toBe('ready');

    await cancel.click();
    await dialog.getByLabel('Reason').fill(`because ${HOSTILE}`);
    await page.keyboard.press('Enter');
    await page.getByText(`because ${HOSTILE}`).waitFor();
    expect((await node.jobs.job('job-1'))?.state).toBe('cancelled');
    await page.getByRole('button', { name: 'Revive' }).click();
    await dialog.getByRole('button', { name: 'Revive' }).click();
    await cancel.waitFor();
    expect((await node.jobs.job('job-1'))?.state).toBe('ready');
    await expectUnharmed('Jobs – Skein');
  });

  it('pauses, drains and opens queues, and shows workers and sandboxes', async () => {
    await node.jobs.enqueue([spec({ id: 'a' }), spec({ id: 'b' })]);
    await node.jobs.registerWorker({
      worker: 'w-1',
      host: HOSTILE,
      queues: ['default'],
      labels: ['site:berlin'],
      total: { cores: 4, memoryBytes: 8 * 1024 ** 3 },
      mode: 'open',
      startedAt: Date.now(),
    });
    await open('#/queues');
    const queue = page.locator('tr[data-queue="default"]');
    await queue.getByRole('link', { name: '2' }).waitFor();
    const mode = async (): Promise<string | undefined> => (await node.jobs.queues())[0]?.mode;
    await queue.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await queue.getByText('paused', { exact: true }).waitFor();
    expect(await mode()).toBe('paused');
    await queue.getByRole('button', { name: 'Drain' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
    await queue.getByText('draining', { exact: true }).waitFor();
    expect(await mode()).toBe('draining');
    await queue.getByRole('button', { name: 'Open' }).click();
    await queue.getByText('open', { exact: true }).waitFor();
    expect(await mode()).toBe('open');
    await claim();
    await queue.locator('[data-count="running"]').getByRole('link', { name: '1' }).waitFor();

    await page.getByText('4 cores, 8.0 GiB').waitFor();
    await page.getByText('site:berlin').waitFor();
    await page.getByText(HOSTILE, { exact: true }).waitFor();
    await page.getByText('sudo apt-get install bubblewrap').waitFor();
    await page.getByText(/^Run (npx )?skein doctor\.$/).waitFor();
    await queue.locator('[data-count="ready"]').getByRole('link').click();
    await row('b').waitFor();
    await expect.poll(() => row('a').count()).toBe(0);
    await expectUnharmed('Jobs – Skein');
  });

  it('draws the curves of a run, its lineage, and two runs next to each other', async () => {
    const put = async (run: ReturnType<typeof sampleRun>): Promise<void> => {
      const answer = await fetch(`${node.url}/api/v1/runs/${run.id}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ run }),
      });
      expect(answer.status).toBe(200);
    };
    const elsewhere = { host: HOSTILE, pid: 1 };
    await put(sampleRun('first', { name: HOSTILE, process: elsewhere, plan: { rate: 0.01 } }));
    const epochs = [1, 2, 3].map((epoch) => ({
      epoch,
      loss: 1 / epoch,
      learningRate: 0.1,
      tookMs: 1,
      metrics: { validationLoss: 1.1 / epoch, [HOSTILE]: epoch },
    }));
    await put(sampleRun('second', { process: elsewhere, epochs, plan: { rate: HOSTILE } }));
    await open('#/runs');
    await row('first').getByRole('link', { name: HOSTILE }).click();
    await page.getByText('größe.onnx').waitFor();
    const chart = page.getByRole('img', { name: 'loss over epochs' });
    await expect
      .poll(() => chart.getAttribute('aria-label'))
      .toBe('loss over epochs: loss from 0.3 to 0.15 in epoch 2');
    // An event announces the step; polling would take half a minute.
    const newest = { step: 17, loss: 0.123, learningRate: 0.01 };
    const updatedAt = '2026-03-14T10:00:00.000Z';
    const now = { name: HOSTILE, process: elsewhere, plan: { rate: 0.01 }, newest, updatedAt };
    await put(sampleRun('first', now));
    await page.getByText('0.123', { exact: true }).waitFor({ timeout: 15_000 });
    await page.goBack();
    await page.getByLabel('Compare first').check();
    await page.getByLabel('Compare second').check();
    await page.getByRole('link', { name: 'Compare the two' }).click();
    // The loss of both runs, and the validation loss of one.
    const losses = page.getByRole('img', { name: 'loss over epochs' });
    await losses.waitFor();
    await expect.poll(() => losses.getAttribute('data-points')).toBe('2 3 3');
    await page.getByText('Numbers').first().click();
    await page.getByRole('row', { name: '3 – 0.3333 0.3667' }).waitFor();
    await page.getByRole('row', { name: `rate 0.01 ${HOSTILE}` }).waitFor();
    await expectUnharmed('Runs – Skein');
  });

  it('shows that an address has no page, and no other view in its place', async () => {
    for (const hash of ['#/nonsense', '#/queues/more', '#/jobs/a/b', '#/federations/a/rounds']) {
      await open(hash);
      await page.getByRole('heading', { name: 'No such page' }).waitFor();
      await page.getByText(hash, { exact: true }).waitFor();
      expect(await page.locator('[aria-current="page"]').count()).toBe(0);
      expect(await page.title()).toBe('No such page – Skein');
    }
    await page.locator('main').getByRole('link', { name: 'Serving' }).click();
    await page.getByRole('heading', { name: 'Deployments' }).waitFor();
    await expectUnharmed('Skein');
  });

  it('names a command whose key it takes', async () => {
    const locked = await startManagement({ access: 'keys' });
    try {
      await page.goto(`${locked.url}/#/jobs`);
      const command = await page.getByRole('dialog').locator('p code').last().textContent();
      const begin = `${programOf(process.env)} keys create --scope `;
      expect(command?.slice(0, begin.length)).toBe(begin);
      const given = command?.slice(begin.length) ?? '';
      const scopes = given.split(',') as 'read'[];
      const { secret } = await locked.keys.create({ label: 'l', tenant: 'a', scopes });
      await page.getByLabel('API key').fill(secret);
      await page.getByRole('button', { name: 'Open' }).click();
      await page.getByText('There are no jobs yet.').waitFor();
      await page.getByText('Live', { exact: true }).waitFor();
    } finally {
      await locked.close();
    }
  });

  it.each(['skein', 'npx skein'])(
    'names every command by the program of its node: %s',
    async (program) => {
      const own = /data-program="(?:npx )?skein"/;
      await page.route(`${node.url}/`, async (route) => {
        const response = await route.fetch();
        const body = (await response.text()).replace(own, `data-program="${program}"`);
        await route.fulfill({ response, body });
      });
      const appears = (text: string | RegExp) => page.getByText(text).first().waitFor();
      await open('#/jobs');
      await appears(new RegExp(`^${program} run -- echo hello$`));
      await open('#/queues');
      await appears(`Run ${program} doctor.`);
      await open('#/jobs/gone');
      await appears(`\`${program} jobs ls\``);

      const client = createClient({ url: node.url });
      const { version } = await client.importModel({ name: 'risk', content: onnxFile(1) });
      await client.deploy({ name: 'risk', version });
      await open('#/try/risk');
      const send = page.getByRole('button', { name: 'Send' });
      await send.waitFor();
      await page.route('**/v2/models/**', (route) => {
        const json = { code: 'MODEL_UNKNOWN', error: 'Run skein ls.' };
        return route.fulfill({ status: 404, json });
      });
      await send.click();
      const refusal = page.locator('p.trouble');
      await refusal.waitFor();
      expect(await refusal.textContent()).toContain(
        `Run ${program} ls. \`${program} ls\` lists the`,
      );
    },
  );

  it('shows a key with the scope `jobs` the jobs of its tenant, and names what it may not see', async () => {
    const locked = await startManagement({ access: 'keys' });
    try {
      const { secret } = await locked.keys.create({ label: 'l', tenant: 'a', scopes: ['jobs'] });
      const reader = await locked.keys.create({ label: 'r', tenant: 'a', scopes: ['read'] });
      const content = Buffer.from('behind a key');
      const { digest, sizeBytes } = await locked.artifacts.put(Readable.from([content]), 1024);
      await locked.jobs.holdArtifact('a', digest, sizeBytes);
      await locked.jobs.enqueue([
        spec({ id: 'mine', tenant: 'a' }),
        spec({ id: 'other', tenant: 'b', queue: 'others' }),
      ]);
      const [claimed] = await locked.jobs.claim({
        worker: 'w',
        queues: ['default'],
        free: { cores: 9, memoryBytes: 2 ** 40 },
        labels: [],
        max: 1,
        leaseMs: 60_000,
      });
      await locked.jobs.finish(claimed?.token ?? 0, {
        kind: 'succeeded',
        result: { value: null, outputs: [{ path: 'out.txt', digest, sizeBytes }] },
      });
      await page.goto(`${locked.url}/#/jobs`);
      await page.getByLabel('API key').fill(secret);
      await page.getByRole('button', { name: 'Open' }).click();
      await row('mine').waitFor();
      await expect.poll(() => row('other').count()).toBe(0);
      await page.getByText('Jobs only').waitFor();
      await row('mine').getByRole('link').click();
      const downloading = page.waitForEvent('download');
      await page.getByRole('button', { name: 'out.txt' }).click();
      expect(await readFile(await (await downloading).path())).toEqual(content);

      await page.getByRole('link', { name: 'Runs' }).click();
      const refusal = page.getByRole('alert');
      await refusal.getByText('read').waitFor();
      await refusal.getByRole('button', { name: 'Use another key' }).click();
      await page.getByLabel('API key').fill(reader.secret);
      await page.getByRole('button', { name: 'Open' }).click();
      await page.getByText('Nothing has been trained yet.').waitFor();
      await expect.poll(() => refusal.isVisible()).toBe(false);
    } finally {
      await locked.close();
    }
  });

  it('requests lists a few times, however many events there are', async () => {
    await node.jobs.enqueue(Array.from({ length: 30 }, (_, index) => spec({ id: `job-${index}` })));
    let asked = 0;
    page.on('request', (request) => {
      if (new URL(request.url()).pathname === '/api/v1/jobs') asked += 1;
    });
    await open('#/jobs');
    await row('job-29').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    for (let done = 0; done < 30; done += 1) {
      const { token } = await claim();
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

  it('fits a phone, and goes back to the previous view', async () => {
    await page.setViewportSize({ width: 360, height: 700 });
    const long = 'W'.repeat(180);
    await node.jobs.enqueue([
      spec({ id: 'a', name: long }),
      spec({ id: 'b', queue: 'q'.repeat(60) }),
    ]);
    for (const [link, shown] of [
      ['Jobs', long],
      ['Queues', 'q'.repeat(60)],
      ['Runs', 'Nothing has been trained yet.'],
    ] as const) {
      await (link === 'Jobs' ? open('#/jobs') : page.getByRole('link', { name: link }).click());
      await page.getByText(shown).first().waitFor();
      const beyond = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect([link, await page.evaluate(beyond)]).toEqual([link, 0]);
    }
    await page.goBack();
    await page.getByRole('heading', { name: 'Sandboxes of this node' }).waitFor();
    await expect.poll(() => page.locator('#views [aria-current]').textContent()).toBe('Queues');
    expect(problems).toEqual([]);
  });

  it('names the columns in the cards of a phone, and wraps what is long', async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    await node.jobs.enqueue([spec({ id: 'first' })]);
    await open('#/jobs');
    await row('first').waitFor();
    const titles = () =>
      row('first')
        .locator('td')
        .evaluateAll((cells) => cells.map((cell) => getComputedStyle(cell, '::before').content));
    await expect.poll(async () => (await titles()).join(' ')).toContain('"Queue');
    await open(`#/try/${'a-long-name-'.repeat(10)}`);
    await page.getByText('Nothing is deployed as').waitFor();
    const width = () => page.evaluate(() => document.documentElement.scrollWidth);
    await expect.poll(width).toBeLessThanOrEqual(390);
  });

  it('begins the playground anew where the next version has other inputs', async () => {
    const client = createClient({ url: node.url });
    for (const inputs of [['x'], ['left', 'right']]) {
      const { version } = await client.importModel({ name: 'risk', content: echoFile(inputs) });
      await client.deploy({ name: 'risk', version });
      if (inputs.length === 1) await open('#/try/risk');
      for (const name of inputs) await page.getByLabel(`Values of ${name}, as JSON`).waitFor();
    }
    expect(await page.getByLabel('Values of x, as JSON').count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it('shows the last hour and day of a deployment next to its last minute', async () => {
    const client = createClient({ url: node.url });
    const { version } = await client.importModel({ name: 'risk', content: onnxFile(1) });
    await client.deploy({ name: 'risk', version });
    await open('#/');
    await page.getByRole('button', { name: 'risk' }).click();
    const charts = (range: string) =>
      page.getByRole('img', { name: new RegExp(`over the last ${range}$`) });
    await expect.poll(() => charts('hour').first().getAttribute('data-points')).toBe('60 60');
    await page.getByRole('button', { name: 'Last day' }).click();
    await expect.poll(() => charts('day').last().getAttribute('data-points')).toBe('9 9 9');
    await page.getByRole('button', { name: 'Last day', pressed: true }).waitFor();
    expect(problems).toEqual([]);
  });
});
