/** One contract, two memories: SQLite in Node, IndexedDB in a page of Chromium. */
import { readFile, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { bundlePage } from '@skein/ui/bundle';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { launchBrowser } from '../../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { openSqliteMemory } from './sqlite-memory.ts';
import { MEMORY_CASES } from './testing/memory-cases.ts';

describe('in SQLite', () => {
  let path: string;
  beforeEach(async () => {
    path = join(testFolder(), 'site.db');
  });

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
    page = await openPage(await browser.newContext());
  }, 60_000);
  async function openPage(context: BrowserContext): Promise<Page> {
    const opened = await context.newPage();
    await opened.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await opened.waitForFunction(() => 'tryCase' in globalThis);
    return opened;
  }
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  it.each(Object.keys(MEMORY_CASES))('%s', async (name) => {
    const tried = page.evaluate(`globalThis.tryCase(${JSON.stringify(name)})`);
    await expect(tried).resolves.toBeUndefined();
  });

  /** Code of a page of another version: it holds the database, and does not let go of it. */
  const held = (version: number): string => `new Promise((resolve, reject) => {
    const opening = indexedDB.open('two versions', ${version});
    opening.onupgradeneeded = () => {
      const { objectStoreNames } = opening.result;
      for (const store of ['identity', 'consent', 'answer', 'state']) {
        if (!objectStoreNames.contains(store)) opening.result.createObjectStore(store);
      }
      opening.transaction.objectStore('consent').put('of version ${version}', 'run ${version}');
    };
    opening.onsuccess = () => resolve((globalThis.database = opening.result).version);
    opening.onblocked = () => reject(new Error('blocked'));
  })`;
  const acceptedIn = (at: Page, run: string): Promise<unknown> =>
    at.evaluate(`(async () => {
      try {
        globalThis.memory ??= await openIndexedMemory('two versions');
        return await memory.acceptedOf('${run}');
      } catch (error) {
        return [error.code, error.message];
      }
    })()`);

  it('reports that an older page is open, takes over when it is closed, and gives way to a newer one', async () => {
    const context = await browser.newContext();
    const older = await openPage(context);
    expect(await older.evaluate(held(1))).toBe(1);
    const present = await openPage(context);
    expect(await acceptedIn(present, 'run 1')).toEqual([
      'SITE_PAGES_DIFFER',
      expect.stringContaining('An older version of this page is open'),
    ]);
    await older.close();
    await present.reload();
    await present.waitForFunction(() => 'tryCase' in globalThis);
    expect(await acceptedIn(present, 'run 1')).toBe('of version 1');
    const newer = await openPage(context);
    expect(await newer.evaluate(held(3))).toBe(3);
    const taken = ['SITE_PAGES_DIFFER', expect.stringContaining('has taken over')];
    expect(await acceptedIn(present, 'run 1')).toEqual(taken);
    const late = await openPage(context);
    const written = ['SITE_PAGES_DIFFER', expect.stringContaining('has written')];
    expect(await acceptedIn(late, 'run 3')).toEqual(written);
    await context.close();
  }, 60_000);
});
