/** The console's message for an action that gets no answer: it must not read as one that is repeated. */
import { expect, it } from 'vitest';
import { launchBrowser } from '../../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { SANDBOXES, spec } from './testing/console-subjects.ts';
import { startManagement } from './testing/start-management.ts';

it.skipIf(requireComponent('chromium').skip)(
  'shows that an action got no answer, until another one begins',
  async () => {
    const browser = await launchBrowser();
    const node = await startManagement({ sandboxes: SANDBOXES });
    try {
      await node.jobs.enqueue([spec({})]);
      const page = await browser.newPage();
      await page.goto(`${node.url}/#/queues`);
      const queue = page.locator('tr[data-queue="default"]');
      const pause = async (): Promise<void> => {
        await queue.getByRole('button', { name: 'Pause' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
      };
      await page.route('**/api/v1/queues/**', (route) => route.abort());
      await pause();
      const alert = page.getByRole('alert').getByText('not known whether this was done');
      await alert.waitFor();
      // The view loads again automatically; that reveals nothing of the action.
      await node.jobs.enqueue([spec({})]);
      await queue.getByRole('link', { name: '2' }).waitFor();
      expect(await alert.isVisible()).toBe(true);

      await page.unroute('**/api/v1/queues/**');
      await pause();
      await queue.getByText('paused', { exact: true }).waitFor();
      expect(await alert.isVisible()).toBe(false);
    } finally {
      await browser.close();
      await node.close();
    }
  },
  60_000,
);
