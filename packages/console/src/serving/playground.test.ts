/** The playground in Chromium, against a node with models: what it sends, what it shows, and the code that it prints. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient } from '@skein/api';
import { GraphBuilder, writeModel } from '@skein/onnx';
import { describe, expect } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { it } from '../testing/served-risk.ts';
import { echoFile } from '../testing/subjects.ts';

describe.skipIf(requireComponent('chromium').skip)('the playground', () => {
  it('calls any deployment, and shows equivalent code', async ({ page, problems, served }) => {
    await page.goto(`${served.url}/#/try/risk`);
    await page.getByLabel('Values of x, as JSON').fill('[1, 2, 3, "four"]');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('x: "four" is not a number.').waitFor();
    await page.getByLabel('Values of x, as JSON').fill('[[1, 2, 3, 4]]');
    await page.getByRole('button', { name: 'Send' }).press('Enter');
    await page.getByRole('heading', { name: /^Answer of version/ }).waitFor();
    expect(await page.locator(':focus').textContent()).toBe('Send');
    const shown = await page.locator('.outputs-of pre').first().textContent();
    const answer = await served.client.infer('risk', {
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
  });

  it('sends a file as bytes, and shows a command that sends it too', async ({
    page,
    problems,
    served,
  }) => {
    const graph = new GraphBuilder('same');
    const image = graph.input('image', 'string', ['batch']);
    const [same] = graph.node('Identity', [image], {}, { outputs: ['same'] });
    graph.output(same, 'string', ['batch']);
    const content = new Uint8Array(writeModel(graph.model()));
    await served.client.importModel({ name: 'same', content });
    await served.client.deploy({ name: 'same', version: '1', settings: { oversubscribe: true } });
    const path = join(served.folder, "it's a file.txt");
    await writeFile(path, 'line 1\nline "2"');
    await page.goto(`${served.url}/#/try/same`);
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
    const { stdout } = await promisify(execFile)('sh', ['-c', line], { cwd: served.folder });
    const printed = JSON.parse(stdout) as { outputs: { data: string[] }[] };
    expect(printed.outputs[0]?.data).toEqual(['line 1\nline "2"']);
    await page.getByLabel('Fill with').selectOption('these texts');
    await page.getByLabel('Values of image, as JSON').fill('["typed"]');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('"typed"', { exact: true }).waitFor();
    expect(problems).toEqual([]);
  });

  it('takes and shows 16-bit floats as numbers, and names their classes', async ({
    page,
    problems,
    served,
  }) => {
    const graph = new GraphBuilder('half');
    const x = graph.input('x', 'float16', [3]);
    const [twice] = graph.node('Add', [x, x], {}, { outputs: ['twice'] });
    graph.output(twice, 'float16', [3]);
    const content = new Uint8Array(writeModel(graph.model()));
    const metadata = { labels: '["low","middle","high"]' };
    await served.client.importModel({ name: 'half', content, metadata });
    await served.client.deploy({ name: 'half', version: '1', settings: { oversubscribe: true } });
    await page.goto(`${served.url}/#/try/half`);
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
  });

  it('keeps what was typed while a deployment is loaded again', async ({ page, served }) => {
    const { deployments } = await served.client.listDeployments();
    const risk = deployments.find(({ name }) => name === 'risk');
    const signatures = [risk?.signature, { inputs: [], outputs: [] }];
    await page.route('**/api/v1/events', (route) => {
      const signature = signatures.shift();
      if (signature === undefined) return route.fallback();
      const body = `event: deployment\ndata: ${JSON.stringify({ ...risk, signature })}\n\n`;
      return route.fulfill({ contentType: 'text/event-stream', body });
    });
    await page.goto(`${served.url}/#/try/risk`);
    await page.getByLabel('Values of x, as JSON').fill('[1, 2, 3, 4.5]');
    await page.getByText('Reconnecting').waitFor();
    await expect.poll(() => signatures.length).toBe(0);
    await page.getByText('Live', { exact: true }).waitFor();
    expect(await page.getByLabel('Values of x, as JSON').inputValue()).toBe('[1, 2, 3, 4.5]');
  });

  it('begins the playground anew where the next version has other inputs', async ({
    node,
    open,
    page,
    problems,
  }) => {
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
});
