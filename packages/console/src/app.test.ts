/** The frame of the console in Chromium: addresses without a page, phones, and the program that commands name. */
import { createClient } from '@skein/api';
import { describe, expect } from 'vitest';
import { requireComponent } from '../../../scripts/testing/components.ts';
import { onnxFile } from '../../server/src/gateway/management/testing/start-management.ts';
import { expectUnharmed, it } from './testing/console-page.ts';
import { spec } from './testing/subjects.ts';

describe.skipIf(requireComponent('chromium').skip)('the frame of the console', () => {
  it('shows that an address has no page, and no other view in its place', async ({
    open,
    page,
    watched,
  }) => {
    for (const hash of ['#/nonsense', '#/queues/more', '#/jobs/a/b', '#/federations/a/rounds']) {
      await open(hash);
      await page.getByRole('heading', { name: 'No such page' }).waitFor();
      await page.getByText(hash, { exact: true }).waitFor();
      expect(await page.locator('[aria-current="page"]').count()).toBe(0);
      expect(await page.title()).toBe('No such page – Skein');
    }
    await page.locator('main').getByRole('link', { name: 'Serving' }).click();
    await page.getByRole('heading', { name: 'Deployments' }).waitFor();
    await expectUnharmed(watched, 'Skein');
  });

  it.for(['skein', 'npx skein'])(
    'names every command by the program of its node: %s',
    async (program, { node, open, page }) => {
      const own = /data-program="(?:npx )?skein"/;
      await page.route(`${node.url}/`, async (route) => {
        const response = await route.fetch();
        const body = (await response.text()).replace(own, `data-program="${program}"`);
        await route.fulfill({ response, body });
      });
      const appears = (text: string | RegExp) => page.getByText(text).first().waitFor();
      await open('#/jobs');
      await appears(new RegExp(`^${program} run -- echo hello$`));
      await open('#/queues');
      await appears(`Run ${program} doctor.`);
      await open('#/jobs/gone');
      await appears(`\`${program} jobs ls\``);

      const client = createClient({ url: node.url });
      const { version } = await client.importModel({ name: 'risk', content: onnxFile(1) });
      await client.deploy({ name: 'risk', version });
      await open('#/try/risk');
      const send = page.getByRole('button', { name: 'Send' });
      await send.waitFor();
      await page.route('**/v2/models/**', (route) => {
        const json = { code: 'MODEL_UNKNOWN', error: 'Run skein ls.' };
        return route.fulfill({ status: 404, json });
      });
      await send.click();
      const refusal = page.locator('p.trouble');
      await refusal.waitFor();
      expect(await refusal.textContent()).toContain(
        `Run ${program} ls. \`${program} ls\` lists the`,
      );
    },
  );

  it('fits a phone, and goes back to the previous view', async ({ node, open, page, problems }) => {
    await page.setViewportSize({ width: 360, height: 700 });
    const long = 'W'.repeat(180);
    await node.jobs.enqueue([
      spec({ id: 'a', name: long }),
      spec({ id: 'b', queue: 'q'.repeat(60) }),
    ]);
    for (const [link, shown] of [
      ['Jobs', long],
      ['Queues', 'q'.repeat(60)],
      ['Runs', 'Nothing has been trained yet.'],
    ] as const) {
      await (link === 'Jobs' ? open('#/jobs') : page.getByRole('link', { name: link }).click());
      await page.getByText(shown).first().waitFor();
      const beyond = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect([link, await page.evaluate(beyond)]).toEqual([link, 0]);
    }
    await page.goBack();
    await page.getByRole('heading', { name: 'Sandboxes of this node' }).waitFor();
    await expect.poll(() => page.locator('#views [aria-current]').textContent()).toBe('Queues');
    expect(problems).toEqual([]);
  });

  it('names the columns in the cards of a phone, and wraps what is long', async ({
    node,
    open,
    page,
    row,
  }) => {
    await page.setViewportSize({ width: 390, height: 800 });
    await node.jobs.enqueue([spec({ id: 'first' })]);
    await open('#/jobs');
    await row('first').waitFor();
    const titles = () =>
      row('first')
        .locator('td')
        .evaluateAll((cells) => cells.map((cell) => getComputedStyle(cell, '::before').content));
    await expect.poll(async () => (await titles()).join(' ')).toContain('"Queue');
    await open(`#/try/${'a-long-name-'.repeat(10)}`);
    await page.getByText('Nothing is deployed as').waitFor();
    const width = () => page.evaluate(() => document.documentElement.scrollWidth);
    await expect.poll(width).toBeLessThanOrEqual(390);
  });
});
