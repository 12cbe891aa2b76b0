/** One contract, two memories: SQLite in Node, IndexedDB in a page of Chromium. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundlePage } from '@skein/ui/bundle';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser } from '../../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { openSqliteMemory } from './sqlite-memory.ts';
import { MEMORY_CASES } from './testing/memory-cases.ts';

describe('in SQLite', () => {
  let path: string;
  beforeEach(async () => {
    path = join(await mkdtemp(join(tmpdir(), 'site-memory-')), 'site.db');
  });
  afterEach(() => rm(join(path, '..'), { recursive: true }));

  it.each(Object.entries(MEMORY_CASES))('%s', async (_, tryCase) => {
    await expect(tryCase(async () => openSqliteMemory(path))).resolves.toBeUndefined();
  });

  it('overwrites what it erases, in a file that only its owner reads', async () => {
    const memory = openSqliteMemory(path);
    const question = { run: 'r1', round: 3, attempt: 0, phase: 'mask' };
    await memory.answerOnce(question, Buffer.from('ANSWER-TO-ERASE'), Buffer.from('SECRET-KEY'));
    await memory.eraseBefore({ ...question, round: 4 });
    await memory.close();
    expect((await readFile(path)).includes('SECRET-KEY')).toBe(false);
    expect((await stat(path)).mode & 0o077).toBe(0);
  });
});

const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('in IndexedDB', () => {
  let server: Server;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    const { script } = await bundlePage(new URL('./testing/memory-page.ts', import.meta.url));
    server = createServer((request, response) => {
      const isScript = request.url === '/page.js';
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(isScript ? script : '<script type="module" src="/page.js"></script>');
    });
    await new Promise<void>((listening) => {
      server.listen(0, '127.0.0.1', listening);
    });
    browser = await launchBrowser();
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => 'tryCase' in globalThis);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  it.each(Object.keys(MEMORY_CASES))('%s', async (name) => {
    const tried = page.evaluate(`globalThis.tryCase(${JSON.stringify(name)})`);
    await expect(tried).resolves.toBeUndefined();
  });
});
