/** The pages of training runs in Chromium. */
import { describe, expect } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { sampleRun } from '../../../state/src/runs/testing/sample-run.ts';
import { expectUnharmed, it } from '../testing/console-page.ts';
import { HOSTILE } from '../testing/subjects.ts';

describe.skipIf(requireComponent('chromium').skip)('the pages of runs', () => {
  it('draws the curves of a run, its lineage, and two runs next to each other', async ({
    node,
    open,
    page,
    row,
    watched,
  }) => {
    const put = async (run: ReturnType<typeof sampleRun>): Promise<void> => {
      const answer = await fetch(`${node.url}/api/v1/runs/${run.id}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ run }),
      });
      expect(answer.status).toBe(200);
    };
    const elsewhere = { host: HOSTILE, pid: 1 };
    await put(sampleRun('first', { name: HOSTILE, process: elsewhere, plan: { rate: 0.01 } }));
    const epochs = [1, 2, 3].map((epoch) => ({
      epoch,
      loss: 1 / epoch,
      learningRate: 0.1,
      tookMs: 1,
      metrics: { validationLoss: 1.1 / epoch, [HOSTILE]: epoch },
    }));
    await put(sampleRun('second', { process: elsewhere, epochs, plan: { rate: HOSTILE } }));
    await open('#/runs');
    await row('first').getByRole('link', { name: HOSTILE }).click();
    await page.getByText('größe.onnx').waitFor();
    const chart = page.getByRole('img', { name: 'loss over epochs' });
    await expect
      .poll(() => chart.getAttribute('aria-label'))
      .toBe('loss over epochs: loss from 0.3 to 0.15 in epoch 2');
    // An event announces the step; polling would take half a minute.
    const newest = { step: 17, loss: 0.123, learningRate: 0.01 };
    const updatedAt = '2026-03-14T10:00:00.000Z';
    const now = { name: HOSTILE, process: elsewhere, plan: { rate: 0.01 }, newest, updatedAt };
    await put(sampleRun('first', now));
    await page.getByText('0.123', { exact: true }).waitFor({ timeout: 15_000 });
    await page.goBack();
    await page.getByLabel('Compare first').check();
    await page.getByLabel('Compare second').check();
    await page.getByRole('link', { name: 'Compare the two' }).click();
    // The loss of both runs, and the validation loss of one.
    const losses = page.getByRole('img', { name: 'loss over epochs' });
    await losses.waitFor();
    await expect.poll(() => losses.getAttribute('data-points')).toBe('2 3 3');
    await page.getByText('Numbers').first().click();
    await page.getByRole('row', { name: '3 – 0.3333 0.3667' }).waitFor();
    await page.getByRole('row', { name: `rate 0.01 ${HOSTILE}` }).waitFor();
    await expectUnharmed(watched, 'Runs – Skein');
  });
});
