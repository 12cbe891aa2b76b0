/** The judge's page in a real Chromium, with its errors and warnings. */
import { type Browser, chromium, type Page } from 'playwright-core';

/** Without requests of the browser itself. */
const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors, warnings, dialogs, and requests to hosts other than the judge. */
  readonly complaints: readonly string[];
}

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: ARGS });
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
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
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
