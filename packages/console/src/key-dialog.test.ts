/** The dialog for a key in Chromium, against a node that requires keys. */
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { programOf } from '@skein/api/commands';
import { describe, expect } from 'vitest';
import { requireComponent } from '../../../scripts/testing/components.ts';
import { startManagement } from '../../server/src/gateway/management/testing/start-management.ts';
import { claim, it as base } from './testing/console-page.ts';
import { spec } from './testing/subjects.ts';

const it = base.extend('locked', async ({}, { onCleanup }) => {
  const locked = await startManagement({ access: 'keys' });
  onCleanup(() => locked.close());
  return locked;
});

describe.skipIf(requireComponent('chromium').skip)('the dialog for a key', () => {
  it('prompts for a key if the node requires one, and then continues', async ({ locked, page }) => {
    const { secret } = await locked.keys.create({ label: 'l', tenant: 't', scopes: ['read'] });
    await page.goto(locked.url);
    const field = page.getByLabel('API key');
    await field.fill('not a key');
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('dialog').getByText('The API key is not one of this node.').waitFor();
    await field.fill('ключ');
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('dialog').getByText('a character that no key has').waitFor();
    // The dialog can be left, and the page shows the reason for the wait.
    await page.keyboard.press('Escape');
    await page.getByText('Key needed', { exact: true }).waitFor();
    expect(await page.getByText('Nothing is deployed yet.').count()).toBe(0);
    await page.getByRole('link', { name: 'Runs' }).click();
    await page.getByRole('button', { name: 'Use another key' }).click();
    await field.fill(secret);
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText('keys required').waitFor();
    await expect.poll(() => page.locator('#key-dialog').isVisible()).toBe(false);
  });

  it('names a command whose key it takes', async ({ locked, page }) => {
    await page.goto(`${locked.url}/#/jobs`);
    const command = await page.getByRole('dialog').locator('p code').last().textContent();
    const begin = `${programOf(process.env)} keys create --scope `;
    expect(command?.slice(0, begin.length)).toBe(begin);
    const given = command?.slice(begin.length) ?? '';
    const scopes = given.split(',') as 'read'[];
    const { secret } = await locked.keys.create({ label: 'l', tenant: 'a', scopes });
    await page.getByLabel('API key').fill(secret);
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByText('There are no jobs yet.').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
  });

  it('shows a key with the scope `jobs` the jobs of its tenant, and names what it may not see', async ({
    locked,
    page,
    row,
  }) => {
    const { secret } = await locked.keys.create({ label: 'l', tenant: 'a', scopes: ['jobs'] });
    const reader = await locked.keys.create({ label: 'r', tenant: 'a', scopes: ['read'] });
    const content = Buffer.from('behind a key');
    const { digest, sizeBytes } = await locked.artifacts.put(Readable.from([content]), 1024);
    await locked.jobs.holdArtifact('a', digest, sizeBytes);
    await locked.jobs.enqueue([
      spec({ id: 'mine', tenant: 'a' }),
      spec({ id: 'other', tenant: 'b', queue: 'others' }),
    ]);
    const { token } = await claim(locked.jobs);
    await locked.jobs.finish(token, {
      kind: 'succeeded',
      result: { value: null, outputs: [{ path: 'out.txt', digest, sizeBytes }] },
    });
    await page.goto(`${locked.url}/#/jobs`);
    await page.getByLabel('API key').fill(secret);
    await page.getByRole('button', { name: 'Open' }).click();
    await row('mine').waitFor();
    await expect.poll(() => row('other').count()).toBe(0);
    await page.getByText('Jobs only').waitFor();
    await row('mine').getByRole('link').click();
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name: 'out.txt' }).click();
    expect(await readFile(await (await downloading).path())).toEqual(content);

    await page.getByRole('link', { name: 'Runs' }).click();
    const refusal = page.getByRole('alert');
    await refusal.getByText('read').waitFor();
    await refusal.getByRole('button', { name: 'Use another key' }).click();
    await page.getByLabel('API key').fill(reader.secret);
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByText('Nothing has been trained yet.').waitFor();
    await expect.poll(() => refusal.isVisible()).toBe(false);
  });
});
