/** The built site in Chromium: every kind of page by axe-core, bytes of a first visit, search, and a call that is tried. */
import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNode, type RunningNode } from '../packages/server/src/node.ts';
import { barriersOf, launchBrowser, problemsOf } from '../scripts/testing/browser.ts';
import { requireComponent } from '../scripts/testing/components.ts';
import { testFolder } from '../scripts/testing/folder.ts';
import { serveFolder, type StaticSite } from '../scripts/testing/static-site.ts';

const ROOT = join(import.meta.dirname, '..');

const PAGES = [
  '',
  'docs/why-skein',
  'docs/guide/serving',
  'docs/guide/data',
  'docs/reference/api',
  'docs/reference/errors',
  'docs/decisions/',
  'no-such-page',
];

/** Compressed bytes until the front page is quiet: its images, and the text of linked pages that VitePress fetches ahead. */
const FIRST_VISIT_BYTES = 500_000;

const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('the documentation site', { timeout: 180_000 }, () => {
  let browser: Browser;
  let site: StaticSite;

  beforeAll(async () => {
    const folder = testFolder();
    execFileSync('npx', ['vitepress', 'build', 'docs', '--outDir', folder], {
      cwd: ROOT,
      stdio: 'pipe',
    });
    site = await serveFolder(folder);
    browser = await launchBrowser();
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function open(page: Page, path: string): Promise<void> {
    await page.goto(`${site.url}/${path}`, { waitUntil: 'networkidle' });
  }

  it.each([
    ['light', 1440],
    ['dark', 1440],
    ['light', 390],
    ['dark', 390],
  ] as const)('has no barrier and no error: %s, %i pixels wide', async (colorScheme, width) => {
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
    const problems = problemsOf(page);
    for (const path of PAGES) {
      await open(page, path);
      expect({ path, barriers: await barriersOf(page) }).toEqual({ path, barriers: [] });
      const isTooWide = await page.evaluate(
        () => document.documentElement.scrollWidth > innerWidth,
      );
      expect({ path, isTooWide }).toEqual({ path, isTooWide: false });
    }
    expect(problems.filter((problem) => !problem.includes('404'))).toEqual([]);
    await page.close();
  });

  it('sends few bytes for a first visit, and none from elsewhere', async () => {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    const addresses = new Set<string>();
    page.on('request', (request) => addresses.add(request.url()));
    await open(page, '');
    const elsewhere = [...addresses].filter((address) => !address.startsWith(site.url));
    let bytes = 0;
    for (const address of addresses) {
      bytes += gzipSync(await (await fetch(address)).bytes()).byteLength;
    }
    expect(bytes).toBeLessThan(FIRST_VISIT_BYTES);
    expect(elsewhere).toEqual([]);
    await page.close();
  });

  it('finds a page by its words', async () => {
    const page = await browser.newPage();
    await open(page, '');
    await page.getByRole('button', { name: 'Search' }).first().click();
    await page.getByRole('searchbox').fill('fencing token');
    await page.getByRole('dialog').getByRole('link').first().waitFor();
    expect(await barriersOf(page)).toEqual([]);
    await page.close();
  });

  it('names the version that it is about', async () => {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await open(page, '');
    await page.getByRole('button', { name: 'next' }).hover();
    const only = page.getByRole('link', { name: 'next: nothing is released yet' });
    await only.waitFor();
    expect(await only.getAttribute('href')).toBe('/CHANGELOG.html#unreleased');
    await page.close();
  });

  describe('a call of the API reference', () => {
    let node: RunningNode;
    const start = async (allowedOrigins: readonly string[]): Promise<void> => {
      node = await startNode({ dataFolder: join(testFolder(), 'data'), cores: 1, allowedOrigins });
    };

    async function tried(page: Page, operation: string): Promise<string> {
      await open(page, 'docs/reference/api');
      await page.getByLabel('Address').fill(node.url);
      const call = page.locator('.try-call', { has: page.locator(`#try-${operation}-form`) });
      await call.getByRole('button', { name: 'Try it' }).click();
      await call.getByRole('button', { name: 'Send' }).click();
      await call.locator('.try-answer p').waitFor();
      await expect.poll(() => call.getByRole('button', { name: 'Stop' }).count()).toBe(0);
      return call.locator('.try-answer').innerText();
    }

    it('is answered by a node that allows the site, and by no other', async () => {
      const page = await browser.newPage();
      await start([site.url]);
      expect(await tried(page, 'getFleet')).toMatch(/^200 [^]*"members": \[/);
      expect(await tried(page, 'enqueueJobs')).toMatch(/^201 [^]*"name": "clean"/);
      expect(await tried(page, 'getDeployment')).toMatch(/^404 [^]*MODEL_UNKNOWN/);
      expect(await barriersOf(page)).toEqual([]);
      await node.drain();
      await start([]);
      const unanswered = await tried(page, 'getFleet');
      expect(unanswered).toContain(`--allow-origin ${site.url}`);
      await node.drain();
      await page.close();
    });
  });
});
