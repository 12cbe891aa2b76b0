/**
 * A judge whose sandbox has no compilers: it judges the other languages, and reports the missing
 * toolchains.
 */
import { type Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { judge } from '../../judging/judge.ts';
import { createJudgeDriver } from '../../judging/drivers.ts';
import { openJudgeSandbox } from '../../judging/judge-sandbox.ts';
import { loadProblem } from '../../package/load-problem.ts';
import { openPage } from '../../testing/browser.ts';
import { packageFolder } from '../../testing/package-folder.ts';
import { ECHO, serving, type Serving } from '../../testing/serving.ts';

const TIMEOUT = 90_000;
/** A base image with only Python 3. */
const WITHOUT_COMPILERS = { driver: 'docker', image: 'skein-sandbox:minimal' } as const;
const PROGRAM = '#include <cstdio>\nint main() { int n; scanf("%d", &n); printf("%d", n); }\n';

describe.skipIf(requireComponent('sandbox-image').skip)('a judge without compilers', () => {
  let serve: Serving;
  beforeAll(async () => {
    serve = await serving({ echo: {} }, WITHOUT_COMPILERS);
  }, TIMEOUT);
  afterAll(() => serve?.[Symbol.asyncDispose]());

  it('names the languages that it cannot judge, and what would bring them', async () => {
    const { languages } = await serve.anonymous.get<{ languages: { code: string }[] }>('judge');
    const known = new Map(languages.map((language) => [language.code, language]));
    expect(known.get('python3')).toMatchObject({ available: true });
    expect(known.get('cpp')).toMatchObject({
      available: false,
      reason: expect.stringContaining('Debian package g++'),
    });
    expect(await serve.anonymous.get('problems/echo')).toMatchObject({
      languages: expect.arrayContaining([
        expect.objectContaining({ code: 'rust', available: false }),
      ]),
    });
  });

  it(
    'refuses a program in one of them, and judges the other languages',
    async () => {
      const given = { problem: 'echo', language: 'cpp', source: PROGRAM };
      expect(await serve.admin.call('POST', 'submissions', given)).toMatchObject({
        status: 422,
        body: {
          code: 'LANGUAGE_UNAVAILABLE',
          error: expect.stringMatching(/C\+\+.*Debian package g\+\+/),
          fix: expect.stringMatching(/./),
        },
      });
      const { id } = await serve.admin.submit('echo', ECHO);
      expect(await serve.admin.verdict(id)).toMatchObject({ verdict: 'AC' });
    },
    TIMEOUT,
  );

  it(
    'does not compile one that comes another way',
    async () => {
      const { driver: name, image } = WITHOUT_COMPILERS;
      const driver = await createJudgeDriver(name, image);
      try {
        const sandbox = await openJudgeSandbox(driver, { image });
        const problem = await loadProblem(packageFolder({}));
        const content = new TextEncoder().encode(PROGRAM);
        const files = [{ path: 'main.cpp', content, executable: false }];
        await expect(judge({ files }, problem, sandbox).next()).rejects.toMatchObject({
          code: 'LANGUAGE_UNAVAILABLE',
          message: expect.stringContaining('Debian package g++'),
        });
      } finally {
        await driver.close();
      }
    },
    TIMEOUT,
  );

  describe.skipIf(requireComponent('chromium').skip)('in Chromium', () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launchBrowser();
    });
    afterAll(() => browser?.close());

    it(
      'is shown where programs are handed in',
      async () => {
        await using opened = await openPage(browser, serve.url, serve.admin.key, TIMEOUT);
        const { page } = opened;
        await page.getByRole('link', { name: 'Echo' }).click();
        const language = page.getByLabel('Language');
        await language.selectOption({ label: 'C++ (not here now)' });
        await page.getByLabel('Program').fill(PROGRAM);
        await page.getByRole('button', { name: 'Submit' }).click();
        const refusal = page.getByRole('alert');
        await refusal.getByText('Debian package g++').waitFor();
        await refusal.getByText('submit in another language').waitFor();
        await expect.poll(() => page.getByRole('region', { name: /^Submission/ }).count()).toBe(0);
      },
      TIMEOUT,
    );
  });
});
