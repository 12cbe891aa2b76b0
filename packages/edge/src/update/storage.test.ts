/** One contract over three storages: memory, a disk, and the private files of a page in Chromium. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bundlePage } from '@skein/ui/bundle';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { mountTinyDisk, tinyDisk } from '../../../state/src/testing/tiny-disk.ts';
import { diskStorage } from '../node/disk-storage.ts';
import { memoryStorage } from './testing/memory-storage.ts';
import { STORAGE_CASES } from './testing/storage-cases.ts';

const NAMES = Object.keys(STORAGE_CASES);

it.each(NAMES)('memory %s', async (name) => {
  const storage = memoryStorage();
  await expect(STORAGE_CASES[name]!(async () => storage)).resolves.toBeUndefined();
});

describe('a disk', () => {
  it.each(NAMES)('%s', async (name) => {
    const folder = join(testFolder(), 'device');
    await expect(STORAGE_CASES[name]!(async () => diskStorage(folder))).resolves.toBeUndefined();
  });

  it.skipIf(tinyDisk.skip)(
    'that is full keeps the old file, and no part of the new one',
    async () => {
      using disk = mountTinyDisk('size=256k');
      const storage = diskStorage(disk.folder);
      await storage.write('model', new Uint8Array(10));
      await expect(storage.write('model', new Uint8Array(2 ** 20))).rejects.toMatchObject({
        code: 'STORAGE_FULL',
      });
      expect((await storage.read('model'))!.length).toBe(10);
      expect(await readdir(disk.folder)).toEqual(['model']);
    },
  );
});

const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('a page of Chromium', () => {
  let server: Server;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    const { script } = await bundlePage(new URL('testing/storage-page.ts', import.meta.url));
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

  it.each(NAMES)('%s', async (name) => {
    const tried = page.evaluate(`globalThis.tryCase(${JSON.stringify(name)})`);
    await expect(tried).resolves.toBeUndefined();
  });

  it('whose quota is spent keeps the old file', async () => {
    const client = await page.context().newCDPSession(page);
    const origin = new URL(page.url()).origin;
    await client.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 300_000 });
    expect(await page.evaluate('globalThis.fill(5_000_000)')).toEqual(['STORAGE_FULL', 10]);
    await client.send('Storage.overrideQuotaForOrigin', { origin });
    expect(await page.evaluate('globalThis.fill(5_000_000)')).toEqual([undefined, 5_000_000]);
  });
});
