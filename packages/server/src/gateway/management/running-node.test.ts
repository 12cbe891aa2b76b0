/** The typed client against a running node, from Node and from Chromium, and the reference page. */
import { readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { createClient, SkeinError, type Client } from '@skein/api';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { launchBrowser, problemsOf } from '../../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { startNode, type RunningNode } from '../../node.ts';
import { onnxFile } from './testing/start-management.ts';

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

  it('the reference page opens at a link, without a script', async () => {
    const { page, problems } = await open('/docs#type-RolloutPlan');
    const plan = page.locator('#type-RolloutPlan');
    await plan.getByText('Time that each step must hold before the next.').waitFor();
    await expect.poll(() => page.locator('script').count()).toBe(0);
    expect(problems).toEqual([]);
    await page.close();
  });
});
