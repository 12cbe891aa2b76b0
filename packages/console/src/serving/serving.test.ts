/** The page of deployments in Chromium: their traffic, their decisions, and the events that it follows. */
import { createClient } from '@skein/api';
import { describe, expect } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { onnxFile } from '../../../server/src/gateway/management/testing/start-management.ts';
import { it } from '../testing/served-risk.ts';

describe.skipIf(requireComponent('chromium').skip)('the page of deployments', () => {
  it('shows deployments and decisions, and follows changes', async ({ page, problems, served }) => {
    await page.goto(served.url);
    const row = page.locator('tbody[data-name="risk"]');
    await row.getByRole('button', { name: 'risk' }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    await row.getByText('x: float32 [batch, 4]').waitFor();
    const reason = 'because <img src=x onerror="document.title=1"> asked';
    await served.client.importModel({ name: 'risk', content: onnxFile(2) });
    await served.client.deploy({ name: 'risk', version: '2' });
    await row.getByText('v2', { exact: false }).first().waitFor();
    await served.client.rollback({ name: 'risk', reason });
    // Text from other users is shown as it is, and never as markup.
    await page.locator('#decisions').getByText(reason).waitFor();
    await expect.poll(() => page.locator('#decisions img').count()).toBe(0);
    expect(await page.title()).toBe('Skein');
    expect(problems).toEqual([]);
  });

  it('drops what was undeployed while its stream of events was broken', async ({
    page,
    served,
  }) => {
    const { deployments } = await served.client.listDeployments();
    const removed = JSON.stringify({ ...deployments[0], name: 'removed' });
    const body = `event: deployment\ndata: ${removed}\n\n`;
    await page.route(
      '**/api/v1/events',
      (route) => route.fulfill({ contentType: 'text/event-stream', body }),
      { times: 1 },
    );
    await page.goto(served.url);
    const rows = page.locator('tbody[data-name]');
    await page.locator('tbody[data-name="removed"]').waitFor();
    await page.locator('tbody[data-name="risk"]').waitFor();
    await expect.poll(() => page.locator('tbody[data-name="removed"]').count()).toBe(0);
    expect(await rows.count()).toBeGreaterThan(0);
  });

  it('shows the last hour and day of a deployment next to its last minute', async ({
    node,
    open,
    page,
    problems,
  }) => {
    const client = createClient({ url: node.url });
    const { version } = await client.importModel({ name: 'risk', content: onnxFile(1) });
    await client.deploy({ name: 'risk', version });
    await open('#/');
    await page.getByRole('button', { name: 'risk' }).click();
    const charts = (range: string) =>
      page.getByRole('img', { name: new RegExp(`over the last ${range}$`) });
    await expect.poll(() => charts('hour').first().getAttribute('data-points')).toBe('60 60');
    await page.getByRole('button', { name: 'Last day' }).click();
    await expect.poll(() => charts('day').last().getAttribute('data-points')).toBe('9 9 9');
    await page.getByRole('button', { name: 'Last day', pressed: true }).waitFor();
    expect(problems).toEqual([]);
  });
});
