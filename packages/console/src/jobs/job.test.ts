/** The page of a job in Chromium: its attempts, its log, its outputs, and its actions. */
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { describe, expect } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { claim, expectUnharmed, it } from '../testing/console-page.ts';
import { HOSTILE, spec } from '../testing/subjects.ts';

describe.skipIf(requireComponent('chromium').skip)('the page of a job', () => {
  it('shows one job with its attempts, follows its log, and gives its outputs', async ({
    node,
    open,
    page,
    row,
    watched,
  }) => {
    await node.jobs.enqueue([spec({ id: 'job:1', name: HOSTILE, group: 'group-1' })]);
    await open('#/jobs/job%3A1');
    await page.getByRole('heading', { name: HOSTILE }).waitFor();
    const { token } = await claim(node.jobs);
    const log = page.getByRole('region', { name: 'Log' });
    const first = Buffer.from(`line 1 ${HOSTILE}\n`);
    await node.jobs.appendLog(token, 0, first);
    await log.getByText(`line 1 ${HOSTILE}`).waitFor();
    await node.jobs.appendLog(token, first.length, Buffer.from('line 2\n'));
    await log.getByText('line 2').waitFor();
    await expect.poll(() => log.textContent()).toBe(`line 1 ${HOSTILE}\nline 2\n`);

    const { digest, sizeBytes } = await node.artifacts.put(
      Readable.from([Buffer.from('what came out')]),
      1024,
    );
    await node.jobs.finish(token, {
      kind: 'succeeded',
      result: { value: null, outputs: [{ path: 'out/result.txt', digest, sizeBytes }] },
      usage: { cpuMs: 1234, peakMemoryBytes: 64 * 1024 * 1024 },
    });
    await page.getByText('64.0 MiB').waitFor();
    await page.getByText('1234 ms').waitFor();
    const downloading = page.waitForEvent('download');
    await page.getByRole('link', { name: 'out/result.txt' }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe('result.txt');
    expect(await readFile(await download.path(), 'utf8')).toBe('what came out');
    await expect.poll(() => page.getByRole('button', { name: /Cancel|Revive/ }).count()).toBe(0);
    await page.getByRole('link', { name: 'group-1' }).click();
    await row('job:1').waitFor();
    await expectUnharmed(watched, 'Jobs – Skein');
  });

  it('cancels and revives after confirmation, by keyboard too', async ({
    node,
    open,
    page,
    watched,
  }) => {
    await node.jobs.enqueue([spec({ id: 'job-1' })]);
    await open('#/jobs/job-1');
    const dialog = page.getByRole('dialog');
    const cancel = page.getByRole('button', { name: 'Cancel', exact: true });
    await cancel.focus();
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    expect((await node.jobs.job('job-1'))?.state).toBe('ready');
    await cancel.click();
    await dialog.getByRole('button', { name: 'Leave it' }).click();
    await dialog.waitFor({ state: 'hidden' });
    expect((await node.jobs.job('job-1'))?.state).toBe('ready');

    await cancel.click();
    await dialog.getByLabel('Reason').fill(`because ${HOSTILE}`);
    await page.keyboard.press('Enter');
    await page.getByText(`because ${HOSTILE}`).waitFor();
    expect((await node.jobs.job('job-1'))?.state).toBe('cancelled');
    await page.getByRole('button', { name: 'Revive' }).click();
    await dialog.getByRole('button', { name: 'Revive' }).click();
    await cancel.waitFor();
    expect((await node.jobs.job('job-1'))?.state).toBe('ready');
    await expectUnharmed(watched, 'Jobs – Skein');
  });
});
