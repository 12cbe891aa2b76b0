/**
 * A service, workers in other processes, and a Redis between them: a program submitted in the page
 * gets its verdict from a remote worker, and a killed worker costs an attempt, not a verdict.
 */
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { launchBrowser } from '../../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import {
  startRedis,
  type TestRedis,
} from '../../../../../packages/jobs/src/store/testing/redis-server.ts';
import { openPage } from '../../testing/browser.ts';
import { judgeDrivers } from '../../testing/judge-sandboxes.ts';
import { caller, ECHO, serving, type Serving } from '../../testing/serving.ts';
import { startWorkerProcess } from '../../testing/judge-process.ts';

const TIMEOUT = 120_000;
const HOSTILE = '<img src=x onerror=alert(1)>';
const PROBLEMS = {
  echo: {
    'problem.yaml': `problem_format_version: 2025-09\nname: "Echo ${HOSTILE}"\nuuid: e\nlicense: cc0\nrights_owner: Us\nlimits:\n  time_limit: 5\n  memory: 256\n`,
  },
};
/** Busy for half a second in every test. */
const SLOW = `import time
while time.process_time() < 0.5: pass
print(input())
`;

const lacking = (['redis', 'bubblewrap', 'chromium'] as const).some(
  (name) => requireComponent(name).skip,
);

describe.skipIf(lacking)('a judge whose workers are in other processes', () => {
  const folder = testFolder();
  let redis: TestRedis;
  let serve: Serving;
  let fleet: { redis: string; blobs: string; namespace: string };

  beforeAll(async () => {
    redis = await startRedis();
    fleet = { redis: redis.url, blobs: join(folder, 'blobs'), namespace: 'fleet' };
    const dataFolder = join(folder, 'data');
    serve = await serving(PROBLEMS, { fleet, parallel: 'none', dataFolder });
  }, TIMEOUT);
  afterAll(async () => {
    await serve?.[Symbol.asyncDispose]();
    await redis?.destroy();
  });

  describe('in Chromium', () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launchBrowser();
    });
    afterAll(() => browser?.close());

    it(
      'gives what is typed its live verdict',
      async () => {
        await using opened = await openPage(browser, serve.url, serve.admin.key, TIMEOUT);
        const { page, complaints } = opened;
        await expect
          .poll(() => page.getByRole('status').first().textContent())
          .toContain('No worker');
        await page.getByRole('link', { name: 'Echo' }).click();
        await page.getByRole('heading', { level: 1, name: `Echo ${HOSTILE}` }).waitFor();

        await page.getByLabel('Language').selectOption('python3');
        await page.getByLabel('Program').focus();
        await page.keyboard.type('if True:\nprint(input())');
        // Enter has kept the indentation after the colon.
        expect(await page.getByLabel('Program').innerText()).toBe('if True:\n    print(input())');
        await page.keyboard.press('Control+Enter');
        const judging = page.getByRole('region', { name: /^Submission/ });
        await judging.getByText('No worker has joined').waitFor();

        await using worker = await startWorkerProcess('elsewhere', fleet);
        await judging.getByRole('button', { name: /^sample\/1: Accepted/ }).waitFor();
        await judging.getByText('Accepted', { exact: true }).first().waitFor();
        await expect.poll(() => judging.getAttribute('data-verdict')).toBe('AC');
        await expect.poll(() => judging.getByRole('listitem').count()).toBe(3);
        expect(worker.log()).toContain('"outcome":"succeeded"');

        await judging.getByRole('button', { name: /^secret\/2/ }).click();
        await judging.getByText('Cpu time').waitFor();
        await page.getByRole('link', { name: 'Standings' }).click();
        await page.getByRole('row', { name: /admin/ }).getByText('+').waitFor();
        await expect.poll(() => page.locator('img[src="x"]').count()).toBe(0);
        expect(complaints).toEqual([]);
      },
      TIMEOUT,
    );
  });

  it.each(judgeDrivers())(
    'gives a submission exactly one verdict when its worker is killed in the middle, with %s',
    async (driver) => {
      await using first = await startWorkerProcess('first', fleet, driver);
      const { id } = await serve.admin.submit('echo', SLOW);
      const events = serve.admin.events(id);
      // The second test runs: one result has arrived, and more follow.
      await vi.waitUntil(
        async () => {
          const view = await serve.admin.get<{ tests: unknown[]; state: string }>(
            `submissions/${id}`,
          );
          return view.state === 'running' && view.tests.length > 0;
        },
        { timeout: TIMEOUT, interval: 30 },
      );
      await first.kill();
      expect(first.log()).not.toContain('Attempt ended');
      await using second = await startWorkerProcess('second', fleet, driver);

      const received = await events;
      expect(received.filter(({ event }) => event === 'judged')).toHaveLength(1);
      expect(received.at(-1)).toMatchObject({
        event: 'judged',
        data: { verdict: 'AC', attempt: 2, judging: 1, tests: { length: 3 } },
      });
      expect(received.some(({ data }) => String(data['note']).includes('attempt 2'))).toBe(true);
      expect(second.log()).toContain('"outcome":"succeeded"');
    },
    TIMEOUT,
  );

  it(
    'finds the verdicts of what was handed in before it was stopped',
    async () => {
      const submitted = await serve.admin.submit('echo', ECHO);
      await serve.judge.close();
      // Judged while no reader is connected.
      await using worker = await startWorkerProcess('third', fleet);
      await vi.waitUntil(() => worker.log().includes('Attempt ended'), { timeout: TIMEOUT });
      await using again = await serving(PROBLEMS, {
        fleet,
        parallel: 'none',
        dataFolder: join(folder, 'data'),
      });
      expect(again.judge.adminKey).toBeUndefined();
      const admin = caller(again.url, serve.admin.key);
      expect(await admin.verdict(submitted.id)).toMatchObject({ verdict: 'AC', attempt: 1 });
    },
    TIMEOUT,
  );
});
