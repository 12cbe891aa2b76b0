/** The judge's page in a real Chromium, with its errors and warnings. */
import type { Browser, Page } from 'playwright-core';
import { problemsOf } from '../../../../scripts/testing/browser.ts';

export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors, warnings, dialogs, and requests to hosts other than the judge. */
  readonly complaints: readonly string[];
}

/** Opens the page in a profile of its own. @param key of the user to sign in as, by the dialog. */
export async function openPage(
  browser: Browser,
  url: string,
  key: string | undefined,
  timeoutMs: number,
): Promise<OpenPage> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints = problemsOf(page);
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) complaints.push(`asked for ${request.url()}`);
  });
  page.setDefaultTimeout(timeoutMs);
  await page.goto(url);
  if (key !== undefined) {
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByLabel('API key').fill(key);
    await page.getByLabel('API key').press('Enter');
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
  }
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
}
