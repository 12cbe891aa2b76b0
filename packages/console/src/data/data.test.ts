/** The pages of data sets in Chromium. */
import { createClient } from '@skein/api';
import { describe, expect } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { onnxFile } from '../../../server/src/gateway/management/testing/start-management.ts';
import { sampleRun } from '../../../state/src/runs/testing/sample-run.ts';
import { expectUnharmed, it } from '../testing/console-page.ts';
import { addHeart } from '../testing/data-sets.ts';
import { HOSTILE, spec } from '../testing/subjects.ts';

const SHOTS = process.env['SKEIN_SCREENSHOTS'];

describe.skipIf(requireComponent('chromium').skip)('the pages of data sets', () => {
  it('lead from a version to its job, its parents, the runs on it and the models, and back', async ({
    node,
    open,
    page,
    row,
    watched,
  }) => {
    await node.jobs.enqueue([spec({ id: 'first' })]);
    const [heart, adults] = await addHeart(node.url);
    const { name, version, manifest } = adults;
    const run = sampleRun('20260314-risk-3f9c1e', {
      versions: [{ model: 'risk', version: '4', at: '2026-03-14T10:00:00.000Z' }],
    });
    const [source] = run.lineage.data;
    const data = [{ ...source!, path: 'adults@1', version: { name, version, manifest } }];
    await node.state.putRun({ ...run, lineage: { ...run.lineage, data } });

    await open('#/data');
    await row('heart@1').getByText('303').waitFor();
    await row('adults@1').getByRole('link', { name: 'adults@1' }).click();
    const picture = page.getByRole('group', { name: 'Lineage of adults@1' });
    await picture.waitFor();
    expect(await picture.locator('text').allTextContents()).toEqual([
      'heart@1',
      'job first',
      'adults@1',
      '20260314-risk-3f9c1e',
      'risk v4',
    ]);
    expect(await picture.locator('path').count()).toBe(4);
    await page.getByText('FROM data WHERE age > 40').waitFor();
    await page.getByText(adults.manifest).waitFor();
    if (SHOTS !== undefined) {
      for (const width of [1440, 390]) {
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.setViewportSize({ width, height: 900 });
          await page.emulateMedia({ colorScheme });
          const path = `${SHOTS}/data-version-${width}-${colorScheme}.png`;
          await page.screenshot({ path, fullPage: true });
        }
      }
      await page.setViewportSize({ width: 1440, height: 900 });
    }
    await picture.getByRole('link', { name: '20260314-risk-3f9c1e' }).click();
    await page.getByRole('link', { name: 'adults@1' }).click();
    await picture.getByRole('link', { name: 'heart@1' }).click();
    const first = page.getByRole('group', { name: 'Lineage of heart@1' });
    await first.getByRole('link', { name: 'adults@1' }).waitFor();
    await page.getByRole('row', { name: `${HOSTILE} VARCHAR` }).waitFor();
    await page.getByRole('link', { name: 'Versions of heart' }).click();
    await row('heart@1').waitFor();
    expect(await row('adults@1').count()).toBe(0);
    expect(heart.note).toBe(HOSTILE);
    await expectUnharmed(watched, 'Data – Skein');

    // From the deployed model back to its data.
    const client = createClient({ url: node.url });
    const metadata = { run: run.id, dataSet: 'adults@1' };
    await client.importModel({ name: 'risk', content: onnxFile(1), metadata });
    await client.deploy({ name: 'risk', version: '1' });
    await open('#/');
    await page.getByRole('button', { name: 'risk' }).click();
    await page.getByRole('link', { name: run.id }).waitFor();
    await page.getByRole('link', { name: 'adults@1' }).click();
    await picture.waitFor();
    if (SHOTS !== undefined) {
      await open('#/data');
      await row('adults@1').waitFor();
      for (const width of [1440, 390]) {
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.setViewportSize({ width, height: 900 });
          await page.emulateMedia({ colorScheme });
          await page.screenshot({ path: `${SHOTS}/data-${width}-${colorScheme}.png` });
        }
      }
    }
  });
});
