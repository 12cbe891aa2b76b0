/** The typed client and the console against a running node, from Node and from a real browser. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient, SkeinError, type Client } from '@skein/api';
import { GraphBuilder, writeModel } from '@skein/onnx';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { launchBrowser, problemsOf } from '../../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { startNode, type RunningNode } from '../../node.ts';
import { onnxFile, startManagement } from './testing/start-management.ts';

const API_SOURCE = join(import.meta.dirname, '../../../../api/src');

const folder = testFolder();
let node: RunningNode;
let client: Client;

beforeAll(async () => {
  node = await startNode({
    dataFolder: join(folder, 'data'),
    cores: 1,
  });
  client = createClient({ url: node.url });
  await client.importModel({ name: 'risk', content: onnxFile(1) });
  await client.deploy({
    name: 'risk',
    version: '1',
    settings: { objective: { latencyMs: 20_000 }, replicas: { min: 1, max: 1 } },
  });
});
afterAll(async () => {
  await node?.drain();
});

const x = { shape: [2, 4], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) };

describe('from Node', () => {
  it("gets the cores that the replicas of the node may use, not its machine's", async () => {
    const { members } = await client.getFleet();
    expect(members).toMatchObject([{ cores: 1 }]);
    const page = await (await fetch(`${node.url}/metrics`)).text();
    expect(page).toContain('\nskein_fleet_cores 1\n');
  });

  it('runs a deployment over the binary tensor extension', async () => {
    const { outputs, version, deployment } = await client.infer('risk', { x });
    expect({ version, deployment }).toEqual({ version: '1', deployment: 'risk' });
    const { y } = outputs;
    expect(y).toMatchObject({ type: 'float32', shape: [2, 3] });
    // Rows are independent: the same row alone gives the same numbers.
    const alone = await client.infer('risk', { x: { shape: [1, 4], data: x.data.subarray(4) } });
    const both = y?.data as Float32Array;
    const second = alone.outputs['y']?.data as Float32Array;
    second.forEach((value, index) => expect(value).toBeCloseTo(both[3 + index] ?? 0, 5));
  });

  it('gets the node’s errors unchanged', async () => {
    const wrong = client.infer('risk', { x: { shape: [1, 5], data: new Float32Array(5) } });
    await expect(wrong).rejects.toMatchObject({ code: 'INPUT_SHAPE' });
    await expect(client.infer('rsik', { x })).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
    await expect(client.infer('risk', { x }, { version: '9' })).rejects.toBeInstanceOf(SkeinError);
    await expect(client.undeploy({ name: 'rsik' })).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
    });
  });

  it('gets the events of its own changes', async () => {
    const abort = new AbortController();
    const events = client.events({ signal: abort.signal });
    expect((await events.next()).value).toMatchObject({
      type: 'deployment',
      data: { name: 'risk' },
    });
    await client.changeSettings({ name: 'risk', settings: { objective: { latencyMs: 19_000 } } });
    for await (const event of events) {
      if (event.type === 'history' && event.data.kind === 'settings-changed') abort.abort();
    }
    const { entries } = await client.deploymentHistory({ name: 'risk', kind: 'settings-changed' });
    expect(entries[0]).toMatchObject({ actor: 'local' });
  });
});

/** Code that a page would run with the client; the test checks its value. */
const BROWSER_SCRIPT = `(async () => {
  const { createClient } = await import('/source/client/client.ts');
  const there = createClient({ url: location.origin });
  const { deployments } = await there.listDeployments();
  const x = { shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) };
  const answer = await there.infer('risk', { x });
  const refusal = await there.infer('ghost', {}).catch((error) => error);
  const first = await there.events().next();
  return {
    names: deployments.map(({ name }) => name),
    y: [...answer.outputs.y.data],
    code: refusal.code,
    event: first.value.type,
  };
})()`;

const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('from Chromium', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  /** A page whose errors are collected in the list. */
  async function open(path: string): Promise<{ page: Page; problems: string[] }> {
    const page = await browser.newPage();
    const problems = problemsOf(page);
    // The client's sources in browser form, and an empty page that loads them.
    await page.route('**/source/**', async (route) => {
      const file = new URL(route.request().url()).pathname.replace('/source/', '');
      const source = await readFile(join(API_SOURCE, file), 'utf8');
      await route.fulfill({
        contentType: 'text/javascript',
        body: stripTypeScriptTypes(source),
      });
    });
    await page.route('**/empty', (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }),
    );
    await page.goto(node.url + path);
    return { page, problems };
  }

  it('the client manages, infers and listens, without Node or another library', async () => {
    const { page, problems } = await open('/empty');
    // A string: vitest rewrites the imports that it can see.
    const result = await page.evaluate(BROWSER_SCRIPT);
    const here = await client.infer('risk', { x: { shape: [1, 4], data: x.data.subarray(0, 4) } });
    expect(result).toEqual({
      names: ['risk'],
      y: [...(here.outputs['y']?.data ?? [])],
      code: 'MODEL_UNKNOWN',
      event: 'deployment',
    });
    expect(problems.filter((problem) => !problem.includes('404'))).toEqual([]);
    await page.close();
  });

  it('the console shows deployments and decisions, and follows changes', async () => {
    const { page, problems } = await open('/');
    const row = page.locator('tbody[data-name="risk"]');
    await row.getByRole('button', { name: 'risk' }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    await row.getByText('x: float32 [batch, 4]').waitFor();
    const reason = 'because <img src=x onerror="document.title=1"> asked';
    await client.importModel({ name: 'risk', content: onnxFile(2) });
    await client.deploy({ name: 'risk', version: '2' });
    await row.getByText('v2', { exact: false }).first().waitFor();
    await client.rollback({ name: 'risk', reason });
    // Text from other users is shown as it is, and never as markup.
    await page.locator('#decisions').getByText(reason).waitFor();
    await expect.poll(() => page.locator('#decisions img').count()).toBe(0);
    expect(await page.title()).toBe('Skein');
    expect(problems).toEqual([]);
    await page.close();
  });

  it('the playground calls any deployment, and shows equivalent code', async () => {
    const { page, problems } = await open('/#/try/risk');
    await page.getByLabel('Values of x, as JSON').fill('[1, 2, 3, "four"]');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('x: "four" is not a number.').waitFor();
    await page.getByLabel('Values of x, as JSON').fill('[[1, 2, 3, 4]]');
    await page.getByRole('button', { name: 'Send' }).press('Enter');
    await page.getByRole('heading', { name: /^Answer of version/ }).waitFor();
    expect(await page.locator(':focus').textContent()).toBe('Send');
    const shown = await page.locator('.outputs-of pre').first().textContent();
    const answer = await client.infer('risk', {
      x: { shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) },
    });
    expect(shown).toBe([...(answer.outputs['y']?.data ?? [])].join(', '));
    const [line = ''] = await page.locator('pre.log').allTextContents();
    const { stdout } = await promisify(execFile)('bash', ['-c', line]);
    const printed = JSON.parse(stdout) as {
      outputs: { data: number[] }[];
    };
    expect(printed.outputs[0]?.data.join(', ')).toBe(shown);
    expect(problems).toEqual([]);
    await page.close();
  });

  it('the playground sends a file as bytes, and shows a command that sends it too', async () => {
    const graph = new GraphBuilder('same');
    const image = graph.input('image', 'string', ['batch']);
    const [same] = graph.node('Identity', [image], {}, { outputs: ['same'] });
    graph.output(same, 'string', ['batch']);
    const content = new Uint8Array(writeModel(graph.model()));
    await client.importModel({ name: 'same', content });
    await client.deploy({ name: 'same', version: '1', settings: { oversubscribe: true } });
    const path = join(folder, "it's a file.txt");
    await writeFile(path, 'line 1\nline "2"');
    const { page, problems } = await open('/#/try/same');
    await page.getByLabel('Fill with').selectOption('the bytes of a file');
    await page.getByRole('button', { name: 'Send' }).click();
    const file = page.getByLabel('File for image');
    const isMissing = (input: Element) => (input as HTMLInputElement).validity.valueMissing;
    expect(await file.evaluate(isMissing)).toBe(true);
    await file.setInputFiles(path);
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByRole('heading', { name: /^Answer of version/ }).waitFor();
    const shown = await page.locator('.outputs-of pre').first().textContent();
    expect(shown).toBe(JSON.stringify('line 1\nline "2"'));
    const [line = ''] = await page.locator('pre.log').allTextContents();
    const { stdout } = await promisify(execFile)('sh', ['-c', line], { cwd: folder });
    const printed = JSON.parse(stdout) as { outputs: { data: string[] }[] };
    expect(printed.outputs[0]?.data).toEqual(['line 1\nline "2"']);
    await page.getByLabel('Fill with').selectOption('these texts');
    await page.getByLabel('Values of image, as JSON').fill('["typed"]');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('"typed"', { exact: true }).waitFor();
    expect(problems).toEqual([]);
    await page.close();
  });

  it('the playground takes and shows 16-bit floats as numbers, and names their classes', async () => {
    const graph = new GraphBuilder('half');
    const x = graph.input('x', 'float16', [3]);
    const [twice] = graph.node('Add', [x, x], {}, { outputs: ['twice'] });
    graph.output(twice, 'float16', [3]);
    const content = new Uint8Array(writeModel(graph.model()));
    const metadata = { labels: '["low","middle","high"]' };
    await client.importModel({ name: 'half', content, metadata });
    await client.deploy({ name: 'half', version: '1', settings: { oversubscribe: true } });
    const { page, problems } = await open('/#/try/half');
    await page.getByLabel('Values of x, as JSON').fill('[1, 70000, 3]');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('x: 70000 does not fit float16.').waitFor();
    await page.getByLabel('Values of x, as JSON').fill('[1.5, -0.25, 1000]');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByRole('heading', { name: /^Answer of version/ }).waitFor();
    const shown = await page.locator('.outputs-of pre').first().textContent();
    expect(shown).toBe('3, -0.5, 2000');
    expect(await page.locator('.outputs-of pre').last().textContent()).toBe('"high"');
    const [line = '', source = ''] = await page.locator('pre.log').allTextContents();
    const { stdout } = await promisify(execFile)('bash', ['-c', line]);
    const printed = JSON.parse(stdout) as { outputs: { data: number[] }[] };
    expect(printed.outputs[0]?.data).toEqual([3, -0.5, 2000]);
    const ran = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', source],
      { cwd: import.meta.dirname },
    );
    expect(ran.stdout).toContain('Uint16Array(3) [ 16896, 47104, 26576 ]');
    expect(problems).toEqual([]);
    await page.close();
  });

  it('the playground keeps what was typed while a deployment is loaded again', async () => {
    const page = await browser.newPage();
    const { deployments } = await client.listDeployments();
    const risk = deployments.find(({ name }) => name === 'risk');
    const signatures = [risk?.signature, { inputs: [], outputs: [] }];
    await page.route('**/api/v1/events', (route) => {
      const signature = signatures.shift();
      if (signature === undefined) return route.fallback();
      const body = `event: deployment\ndata: ${JSON.stringify({ ...risk, signature })}\n\n`;
      return route.fulfill({ contentType: 'text/event-stream', body });
    });
    await page.goto(`${node.url}/#/try/risk`);
    await page.getByLabel('Values of x, as JSON').fill('[1, 2, 3, 4.5]');
    await page.getByText('Reconnecting').waitFor();
    await expect.poll(() => signatures.length).toBe(0);
    await page.getByText('Live', { exact: true }).waitFor();
    expect(await page.getByLabel('Values of x, as JSON').inputValue()).toBe('[1, 2, 3, 4.5]');
    await page.close();
  });

  it('the console drops what was undeployed while its stream of events was broken', async () => {
    const page = await browser.newPage();
    const { deployments } = await client.listDeployments();
    const removed = JSON.stringify({ ...deployments[0], name: 'removed' });
    const body = `event: deployment\ndata: ${removed}\n\n`;
    await page.route(
      '**/api/v1/events',
      (route) => route.fulfill({ contentType: 'text/event-stream', body }),
      { times: 1 },
    );
    await page.goto(node.url);
    const rows = page.locator('tbody[data-name]');
    await page.locator('tbody[data-name="removed"]').waitFor();
    await page.locator('tbody[data-name="risk"]').waitFor();
    await expect.poll(() => page.locator('tbody[data-name="removed"]').count()).toBe(0);
    expect(await rows.count()).toBeGreaterThan(0);
    await page.close();
  });

  it('the console prompts for a key if the node requires one, and then continues', async () => {
    const locked = await startManagement({ access: 'keys' });
    try {
      const { secret } = await locked.keys.create({ label: 'l', tenant: 't', scopes: ['read'] });
      const page = await browser.newPage();
      await page.goto(locked.url);
      const field = page.getByLabel('API key');
      await field.fill('not a key');
      await page.getByRole('button', { name: 'Open' }).click();
      await page.getByRole('dialog').getByText('The API key is not one of this node.').waitFor();
      await field.fill('ключ');
      await page.getByRole('button', { name: 'Open' }).click();
      await page.getByRole('dialog').getByText('a character that no key has').waitFor();
      // The dialog can be left, and the page shows the reason for the wait.
      await page.keyboard.press('Escape');
      await page.getByText('Key needed', { exact: true }).waitFor();
      expect(await page.getByText('Nothing is deployed yet.').count()).toBe(0);
      await page.getByRole('link', { name: 'Runs' }).click();
      await page.getByRole('button', { name: 'Use another key' }).click();
      await field.fill(secret);
      await page.getByRole('button', { name: 'Open' }).click();
      await page.getByText('Live', { exact: true }).waitFor();
      await page.getByText('keys required').waitFor();
      await expect.poll(() => page.locator('#key-dialog').isVisible()).toBe(false);
      await page.close();
    } finally {
      await locked.close();
    }
  });

  it('the reference page opens at a link, without a script', async () => {
    const { page, problems } = await open('/docs#type-RolloutPlan');
    const plan = page.locator('#type-RolloutPlan');
    await plan.getByText('Time that each step must hold before the next.').waitFor();
    await expect.poll(() => page.locator('script').count()).toBe(0);
    expect(problems).toEqual([]);
    await page.close();
  });
});
