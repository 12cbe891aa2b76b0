/** The page of queues, workers and sandboxes in Chromium. */
import { describe, expect } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { claim, expectUnharmed, it } from '../testing/console-page.ts';
import { HOSTILE, spec } from '../testing/subjects.ts';

describe.skipIf(requireComponent('chromium').skip)('the page of queues', () => {
  it('pauses, drains and opens queues, and shows workers and sandboxes', async ({
    node,
    open,
    page,
    row,
    watched,
  }) => {
    await node.jobs.enqueue([spec({ id: 'a' }), spec({ id: 'b' })]);
    await node.jobs.registerWorker({
      worker: 'w-1',
      host: HOSTILE,
      queues: ['default'],
      labels: ['site:berlin'],
      total: { cores: 4, memoryBytes: 8 * 1024 ** 3 },
      mode: 'open',
      startedAt: Date.now(),
    });
    await open('#/queues');
    const queue = page.locator('tr[data-queue="default"]');
    await queue.getByRole('link', { name: '2' }).waitFor();
    const mode = async (): Promise<string | undefined> => (await node.jobs.queues())[0]?.mode;
    await queue.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await queue.getByText('paused', { exact: true }).waitFor();
    expect(await mode()).toBe('paused');
    await queue.getByRole('button', { name: 'Drain' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
    await queue.getByText('draining', { exact: true }).waitFor();
    expect(await mode()).toBe('draining');
    await queue.getByRole('button', { name: 'Open' }).click();
    await queue.getByText('open', { exact: true }).waitFor();
    expect(await mode()).toBe('open');
    await claim(node.jobs);
    await queue.locator('[data-count="running"]').getByRole('link', { name: '1' }).waitFor();

    await page.getByText('4 cores, 8.0 GiB').waitFor();
    await page.getByText('site:berlin').waitFor();
    await page.getByText(HOSTILE, { exact: true }).waitFor();
    await page.getByText('sudo apt-get install bubblewrap').waitFor();
    await page.getByText(/^Run (npx )?skein doctor\.$/).waitFor();
    await queue.locator('[data-count="ready"]').getByRole('link').click();
    await row('b').waitFor();
    await expect.poll(() => row('a').count()).toBe(0);
    await expectUnharmed(watched, 'Jobs – Skein');
  });

  it('shows that an action got no answer, until another one begins', async ({
    node,
    open,
    page,
  }) => {
    await node.jobs.enqueue([spec({})]);
    await open('#/queues');
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
  });
});
