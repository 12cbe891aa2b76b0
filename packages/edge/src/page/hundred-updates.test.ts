/** A page that is open for a long time: each version takes the memory of the one before. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Browser } from 'playwright-core';
import { launchBrowser } from '../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { wasmRuntime } from '@skein/runtime/wasm';
import { smallModel, smallPublisher } from '../bundle/testing/small-bundle.ts';
import { HEALTH_ANSWERS } from '../update/state.ts';
import { call, openSite, sessionWorkers } from './testing/site.ts';

/** A hundred at full size. */
const UPDATES = process.env['SKEIN_FULL'] === '1' ? 100 : 30;
/** Workers and caches of a browser come and go; a worker of WebAssembly that stays takes 30 MB each time. */
const MOST_GROWTH = 100 * 2 ** 20;

const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('a page over many updates', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
  });

  it('has one worker, and takes no more memory', { timeout: 600_000 }, async () => {
    const publisher = await smallPublisher();
    const publish = async (seed: number): Promise<void> => {
      await publisher.pack(smallModel(seed), { runtimes: { wasm: wasmRuntime } });
      site.publish(publisher.place);
    };
    await using site = await openSite(publisher.root);
    const page = await browser.newPage();
    await page.goto(site.url);
    await page.waitForFunction(() => 'start' in globalThis);
    await call(page, 'start');
    let early = 0;
    for (let version = 1; version <= UPDATES; version++) {
      await publish(version);
      const outcome = await call<{ kind: string; reason?: string }>(page, 'update');
      expect(outcome).toMatchObject({ kind: 'updated', version });
      for (let count = 0; count < HEALTH_ANSWERS; count++) await call(page, 'infer');
      if (version === UPDATES / 5) early = await memoryOf(browser);
    }
    expect(sessionWorkers(page)).toHaveLength(1);
    const growth = (await memoryOf(browser)) - early;
    expect(growth).toBeLessThan(MOST_GROWTH);
  });
});

/** Resident bytes of the processes of pages. */
async function memoryOf(browser: Browser): Promise<number> {
  const client = await browser.newBrowserCDPSession();
  const { processInfo } = await client.send('SystemInfo.getProcessInfo');
  await client.detach();
  return processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${id}/status`, 'utf8')))
    .reduce((sum, found) => sum + 1024 * Number(found?.[1] ?? 0), 0);
}
