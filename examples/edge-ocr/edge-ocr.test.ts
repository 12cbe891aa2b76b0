/** The page in Chromium as a visitor uses it: offline, with a camera, over an update and a version that fails; and Node. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { barriersOf, launchBrowser, problemsOf } from '../../scripts/testing/browser.ts';
import { requireComponent } from '../../scripts/testing/components.ts';
import { testFolder } from '../../scripts/testing/folder.ts';
import { publishBundles, skein } from './bundles.ts';
import { RECOGNISER } from '../ocr/models.ts';

const IMAGES = join(import.meta.dirname, '../ocr/images');
const expected = JSON.parse(readFileSync(join(IMAGES, 'expected.json'), 'utf8')) as Record<
  string,
  string[]
>;
const folder = testFolder();
const script = (name: string): string => join(import.meta.dirname, name);

interface Server {
  readonly url: string;
  kill(): Promise<void>;
}

async function serve(port: string, node: string): Promise<Server> {
  const words = [script('serve.ts'), '--folder', folder, '--port', port, '--node', node];
  const server: ChildProcess = spawn(process.execPath, words, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: server.stdout! })) {
    const url = /^The page is at (.*)$/.exec(line)?.[1];
    if (url === undefined) continue;
    return {
      url,
      async kill() {
        if (server.exitCode !== null || server.signalCode !== null) return;
        server.kill('SIGKILL');
        await once(server, 'exit');
      },
    };
  }
  throw new Error('The server has ended.');
}

beforeAll(async () => {
  await publishBundles(folder);
}, 120_000);

const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('the page', () => {
  let browser: Browser;
  let server: Server;
  let page: Page;
  let problems: string[];
  /** Requests that have reached the node, which is never ready. */
  let asked = 0;
  const node = createServer((request, response) => {
    asked += 1;
    request.resume();
    response.writeHead(503, { 'retry-after': '60' }).end();
  });

  beforeAll(async () => {
    node.listen(0, '127.0.0.1');
    await once(node, 'listening');
    server = await serve('0', `http://127.0.0.1:${(node.address() as AddressInfo).port}`);
    // A camera that shows one line of print.
    const video = join(testFolder(), 'camera.mjpeg');
    writeFileSync(video, await sharp(join(IMAGES, 'label.png')).jpeg({ quality: 95 }).toBuffer());
    browser = await launchBrowser([
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-video-capture=${video}`,
    ]);
    page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
    problems = problemsOf(page);
    await page.goto(server.url);
    await page.getByText('Works offline').waitFor({ timeout: 60_000 });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await server?.kill();
    node.closeAllConnections();
    node.close();
  });

  /** Lines of the text that the page shows once it has read. */
  async function linesOf(): Promise<string[]> {
    await page.waitForSelector('.picture[aria-busy=true]').catch(() => undefined);
    await page.waitForSelector('.picture[aria-busy=false]', { timeout: 60_000 });
    return page.locator('#text li span:first-child').allTextContents();
  }
  async function read(name: string): Promise<string[]> {
    await page.setInputFiles('#file', join(IMAGES, name));
    return linesOf();
  }
  const answers = (): Promise<string | null> => page.textContent('#answers tbody');

  it('reads pictures exactly, shows where, and has no barriers', async () => {
    for (const name of ['label.png', 'light-on-dark.png', 'rotated-scan.jpg']) {
      expect(await read(name)).toEqual(expected[name]);
    }
    expect(await answers()).toMatch(/ocr-detectDevice11.*the input is private/);
    expect(await barriersOf(page)).toEqual([]);
    expect(problems.filter((each) => !each.includes('404'))).toEqual([]);
    expect(asked).toBe(0);
  }, 90_000);

  it('reads the camera', async () => {
    await page.click('#camera');
    await page.waitForFunction(() => (document.querySelector('video')?.videoWidth ?? 0) > 0);
    await page.click('#shoot');
    expect(await linesOf()).toEqual(expected['label.png']);
    await page.click('#camera');
  }, 60_000);

  it('starts and reads while its server is dead', async () => {
    const { port } = new URL(server.url);
    await server.kill();
    await page.reload();
    await page.getByText('Works offline').waitFor({ timeout: 60_000 });
    expect(await read('label.png')).toEqual(expected['label.png']);
    expect(await page.textContent('#updates')).toContain('cannot be read');
    server = await serve(port, `http://127.0.0.1:${(node.address() as AddressInfo).port}`);
  }, 90_000);

  it('updates, and rolls back when the new version fails', async () => {
    // Enough answers to commit the version.
    for (let answered = 0; answered < 20; answered += expected['receipt.png']!.length) {
      await read('receipt.png');
    }
    const [keys, published] = [join(folder, 'keys'), join(folder, 'published')];
    await skein(
      'edge',
      'pack',
      RECOGNISER,
      '--name',
      'ocr-recognise',
      '--keys',
      keys,
      '--out',
      published,
    );
    await page.click('#update');
    await page.getByText('ocr-recognise version 2 is installed').waitFor({ timeout: 60_000 });
    expect(await read('shop-front.jpg')).toEqual(expected['shop-front.jpg']);
    expect(await answers()).toMatch(/ocr-recogniseDevice23/);
    // The session of the recogniser is the one that was started last.
    const sessions = page.workers().filter((each) => each.url().includes('session-'));
    await sessions
      .at(-1)!
      .evaluate('self.close()')
      .catch(() => undefined);
    expect(await read('shop-front.jpg')).toEqual(expected['shop-front.jpg']);
    expect(await answers()).toContain('version 2 has failed');
    expect(await page.textContent('#installed tbody')).toMatch(/ocr-recognise1.*2: The worker of/);
    expect(asked).toBe(0);
  }, 120_000);

  it('fits a telephone', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  });
});

it('reads in Node with the same bundles', async () => {
  const own = testFolder();
  for (const each of ['keys', 'published'])
    cpSync(join(folder, each), join(own, each), { recursive: true });
  const words = [script('read.ts'), join(IMAGES, 'label.png'), '--folder', own, '--private'];
  const reader = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = ['', ''];
  reader.stdout.on('data', (part: Buffer) => (texts[0] += part.toString()));
  reader.stderr.on('data', (part: Buffer) => (texts[1] += part.toString()));
  expect(await once(reader, 'close')).toEqual([0, null]);
  expect(texts[0]!.trim().split('\n')).toEqual(expected['label.png']);
  expect(texts[1]).toMatch(/ocr-detect version 1: local, 1 calls, \d+ ms \(the input is private\)/);
}, 60_000);
