/**
 * The page in a real Chromium, over a running judge: submissions, rejudging, and programs, answers
 * and outputs that contain markup.
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import type { SubmissionView } from '../service/api/schemas.ts';
import { openPage } from '../testing/browser.ts';
import { judgeDrivers } from '../testing/judge-sandboxes.ts';
import { type Caller, ECHO, serving, type Serving } from '../testing/serving.ts';

const TIMEOUT = 120_000;
const HOSTILE = '<img src=x onerror=alert(1)>';
const yaml = (name: string, more = ''): string =>
  `problem_format_version: 2025-09\nname: "${name}"\nuuid: u${name.length}\nlicense: cc0\nrights_owner: Us\n${more}limits:\n  time_limit: 2\n  memory: 256\n`;
const PROBLEMS = {
  echo: {},
  other: { 'problem.yaml': yaml('Other') },
  long: { 'problem.yaml': yaml('Long'.repeat(60)) },
  hostile: {
    'problem.yaml': yaml(HOSTILE),
    'data/secret/test_group.yaml': 'full_feedback: true\n',
  },
  answers: {
    'problem.yaml': yaml('Answers', 'type: [pass-fail, submit-answer]\n'),
    'submissions/accepted/echo.py': undefined,
    'submissions/accepted/all/sample/1.out': '1\n',
    'submissions/accepted/all/secret/1.out': '2\n',
    'submissions/accepted/all/secret/2.out': '3\n',
  },
};

const [driver] = judgeDrivers();

describe.skipIf(driver === undefined || requireComponent('chromium').skip)('the page', () => {
  let serve: Serving;
  let alice: Caller;
  let browser: Browser;

  beforeAll(async () => {
    serve = await serving(PROBLEMS, { driver, limits: { submissionsPerMinute: 100 } });
    alice = await serve.user('alice');
    browser = await launchBrowser();
  }, TIMEOUT);
  afterAll(async () => {
    await browser?.close();
    await serve?.[Symbol.asyncDispose]();
  });

  async function judged(source: string, problem = 'echo'): Promise<number> {
    const { id } = await alice.submit(problem, source);
    await alice.verdict(id);
    return id;
  }

  const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name });
  const judging = (page: Page) => page.getByRole('region', { name: /^Submission/ });

  it(
    'lists the user’s submissions, and links to each program and its tests',
    async () => {
      const right = await judged(ECHO);
      const wrong = await judged('print(0)\n');
      await judged(ECHO, 'other');
      await using opened = await openPage(browser, serve.url, alice.key, TIMEOUT);
      const { page, complaints } = opened;
      await page.getByRole('link', { name: 'Submissions' }).click();
      await heading(page, 'Your submissions').waitFor();
      const rows = page.locator('tbody tr');
      await expect
        .poll(() => rows.locator('td:first-child').allTextContents())
        .toEqual([right + 2, wrong, right].map(String));
      await page.getByRole('row', { name: new RegExp(`^${wrong} echo.*Wrong answer`) }).waitFor();

      await rows.nth(1).hover();
      await rows.nth(1).getByRole('link', { name: 'Only those to echo' }).click();
      await page.getByText('To echo.').waitFor();
      await expect.poll(() => rows.count()).toBe(2);
      // For admins alone.
      await expect
        .poll(() => page.getByRole('button', { name: 'Judge all again' }).count())
        .toBe(0);

      await page.getByRole('link', { name: String(wrong), exact: true }).click();
      await heading(page, `Submission ${wrong}`).waitFor();
      await expect.poll(() => page.locator('.source pre').textContent()).toBe('print(0)\n');
      await judging(page)
        .getByRole('button', { name: /^sample\/1: Wrong answer/ })
        .click();
      await judging(page).getByText('Cpu time').waitFor();
      await expect.poll(() => page.getByRole('button', { name: 'Judge again' }).count()).toBe(0);
      expect(complaints).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'judges one submission again, live, and keeps what was before',
    async () => {
      const id = await judged('print(0)\n');
      await using opened = await openPage(browser, serve.url, serve.admin.key, TIMEOUT);
      const { page, complaints } = opened;
      await page.goto(`${serve.url}/#/submissions/${id}`);
      await judging(page).getByText('Wrong answer', { exact: true }).first().waitFor();
      await page.getByRole('button', { name: 'Judge again' }).click();
      await judging(page).getByText('Judged before: WA').waitFor();
      // The button is absent while the submission is judged, and present again with the verdict.
      await page.getByRole('button', { name: 'Judge again' }).waitFor();
      await expect.poll(() => judging(page).getAttribute('data-verdict')).toBe('WA');
      expect(await serve.admin.get<SubmissionView>(`submissions/${id}`)).toMatchObject({
        judging: 2,
        verdict: 'WA',
        earlier: [{ judging: 1, verdict: 'WA' }],
      });
      expect(complaints).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'judges all to a problem again',
    async () => {
      const ids = [await judged(ECHO, 'other'), await judged('print(0)\n', 'other')];
      await using opened = await openPage(browser, serve.url, serve.admin.key, TIMEOUT);
      const { page, complaints } = opened;
      await page.getByRole('link', { name: 'Other' }).click();
      await page.getByRole('link', { name: 'submissions', exact: true }).click();
      const rows = page.locator('tbody tr');
      await rows.first().waitFor();
      const count = await rows.count();
      await page.getByRole('button', { name: 'Judge all again' }).click();
      await page.getByText(`${count} are judged again.`).waitFor();
      const unfinished = page.getByRole('row', { name: /Waiting|Compiling|Running/ }).first();
      await unfinished.waitFor();
      for (const id of ids) {
        expect(await serve.admin.verdict(id)).toMatchObject({ judging: 2 });
      }
      // The list reloads automatically until the last of them is judged.
      await unfinished.waitFor({ state: 'detached' });
      await page.getByRole('row', { name: new RegExp(`^${ids[0]} .*Accepted`) }).waitFor();
      await page.getByRole('row', { name: new RegExp(`^${ids[1]} .*Wrong answer`) }).waitFor();
      expect(complaints).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'shows markup in names, programs, messages and outputs as the text that it is',
    async () => {
      await using opened = await openPage(browser, serve.url, alice.key, TIMEOUT);
      const { page, complaints } = opened;
      await page.getByRole('link', { name: HOSTILE }).click();
      await heading(page, HOSTILE).waitFor();
      await page.getByLabel('Language').selectOption('python3');

      // In the output of a compiler, by way of the keyboard.
      await page.getByLabel('Program').focus();
      await page.keyboard.insertText(`${HOSTILE}\n`);
      const [numbers, editor] = await Promise.all(
        ['.cm-gutters', '.cm-editor'].map((part) => page.locator(part).boundingBox()),
      );
      expect(numbers?.height).toBe(editor?.height);
      await page.getByRole('button', { name: 'Submit' }).click();
      await judging(page).first().getByText('Compile error', { exact: true }).first().waitFor();
      const compilerOutput = await judging(page).first().locator('.compiler pre').textContent();
      expect(compilerOutput).toContain(`File "main.py", line 1\n    ${HOSTILE}`);
      // Not the way in which the judge finds errors.
      expect(compilerOutput).not.toContain('Traceback');

      // In what a program writes, by way of a file with such a name.
      const source = `x = input()\nprint(x if x == "1" else ${JSON.stringify(HOSTILE)})\n`;
      await page.locator('#file').setInputFiles({
        name: `${HOSTILE}.py`,
        mimeType: 'text/x-python',
        buffer: Buffer.from(source),
      });
      await expect
        .poll(async () => (await page.getByLabel('Program').innerText()).trimEnd())
        .toBe(source.trimEnd());
      await page.getByRole('button', { name: 'Submit' }).click();
      await judging(page)
        .first()
        .getByRole('button', { name: /^secret\/1: Wrong answer/ })
        .click();
      const output = judging(page).first().locator('figure', { hasText: 'Your output' });
      await expect.poll(() => output.locator('pre').textContent()).toBe(`${HOSTILE}\n`);
      await judging(page)
        .first()
        .getByRole('link', { name: /^Submission/ })
        .click();
      await page.locator('.source pre').waitFor();
      await expect.poll(() => page.locator('.source pre').textContent()).toBe(source);

      // In a refusal.
      await page.goto(`${serve.url}/#/problems/answers`);
      await page.locator('#file').setInputFiles({
        name: `${HOSTILE}.out`,
        mimeType: 'text/plain',
        buffer: Buffer.from('1\n'),
      });
      await page.getByRole('button', { name: 'Submit' }).click();
      await page.getByRole('alert').getByText(HOSTILE).waitFor();

      await expect.poll(() => page.locator('img[src="x"]').count()).toBe(0);
      // The refusal is also logged to the console; nothing else is.
      expect(complaints.filter((text) => !/status of 422/.test(text))).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'takes a file for each test, whatever is in it and also where two are called the same',
    async () => {
      await using opened = await openPage(browser, serve.url, alice.key, TIMEOUT);
      const { page, complaints } = opened;
      const answer = (name: string, buffer: Buffer) => ({ name, mimeType: 'text/plain', buffer });
      await page.goto(`${serve.url}/#/problems/answers`);
      await page.locator('#file').setInputFiles([answer('2.out', Buffer.from('3\n'))]);
      const first = page.getByLabel('File for sample/1.out');
      await first.setInputFiles([answer('1.out', Buffer.from('1\n'))]);
      const second = page.getByLabel('File for secret/1.out');
      await second.setInputFiles([answer('1.out', Buffer.from('2\n'))]);
      await page.getByRole('button', { name: 'Submit' }).click();
      await judging(page).first().getByText('Accepted', { exact: true }).first().waitFor();
      await second.setInputFiles([answer('1.out', Buffer.of(0xff))]);
      await page.getByRole('button', { name: 'Submit' }).click();
      await judging(page).first().getByText('Wrong answer', { exact: true }).first().waitFor();
      const { submissions } = await alice.get<{ submissions: { id: number }[] }>('submissions');
      expect(await alice.get(`submissions/${submissions[0]?.id}/source`)).toMatchObject({
        files: [{ content: '3\n' }, { content: '1\n' }, { path: 'secret/1.out', base64: '/w==' }],
      });
      expect(complaints).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'warns that a program which is not UTF-8 would be handed in changed',
    async () => {
      await using opened = await openPage(browser, serve.url, alice.key, TIMEOUT);
      const { page, complaints } = opened;
      const program = (buffer: Buffer) => ({ name: 'echo.py', mimeType: 'text/x-python', buffer });
      const warning = page.getByRole('alert').getByText('echo.py is not UTF-8');
      await page.goto(`${serve.url}/#/problems/echo`);
      await page.locator('#file').setInputFiles(program(Buffer.from('# caf\xe9\n', 'latin1')));
      await warning.waitFor();
      await page.locator('#file').setInputFiles(program(Buffer.from('# café\n')));
      await warning.waitFor({ state: 'hidden' });
      await page.getByLabel('Program').getByText('# café').waitFor();
      expect(complaints).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'keeps a draft in its tab, and drops it when its user signs out',
    async () => {
      await using opened = await openPage(browser, serve.url, alice.key, TIMEOUT);
      const { page, complaints } = opened;
      await page.goto(`${serve.url}/#/problems/echo`);
      const editor = page.getByLabel('Program');
      await editor.fill('# a draft');
      await page.goto(`${serve.url}/#/problems/other`);
      await heading(page, 'Other').waitFor();
      await page.goBack();
      await editor.getByText('# a draft').waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await editor.getByText('Write a program').waitFor();
      expect(await page.evaluate(() => Object.keys(sessionStorage))).toEqual([]);
      expect(complaints).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'reports that a key has ended, and not that it tries again',
    async () => {
      const id = await judged(ECHO);
      await using opened = await openPage(browser, serve.url, alice.key, TIMEOUT);
      const { page } = opened;
      await page.route(`**/submissions/${id}`, async (route) => {
        const view = (await (await route.fetch()).json()) as SubmissionView;
        await route.fulfill({ json: { ...view, state: 'running' } });
      });
      const json = { error: 'The API key is revoked.', code: 'KEY_INVALID', fix: '' };
      await page.route(`**/submissions/${id}/events`, (route) =>
        route.fulfill({ status: 401, json }),
      );
      await page.goto(`${serve.url}/#/submissions/${id}`);
      await page.getByRole('alert').getByText('The API key is revoked.').waitFor();
      expect(await page.getByText('The connection broke').count()).toBe(0);
    },
    TIMEOUT,
  );

  it(
    'fits a telephone, explains to a screen reader how to leave the editor, and opens a large file',
    async () => {
      await using opened = await openPage(browser, serve.url, alice.key, TIMEOUT);
      const { page, complaints } = opened;
      await page.setViewportSize({ width: 320, height: 640 });
      await page.goto(`${serve.url}/#/problems/echo`);
      await page.getByLabel('Program').waitFor();
      const width = () => page.evaluate(() => document.documentElement.scrollWidth);
      expect(await width()).toBe(320);
      await page.goto(`${serve.url}/#/problems/long`);
      await heading(page, 'Long'.repeat(60)).waitFor();
      expect(await width()).toBe(320);
      await page.getByRole('link', { name: 'Problems' }).click();
      await page.getByRole('link', { name: 'Long'.repeat(60) }).waitFor();
      expect(await width()).toBe(320);
      await page.goto(`${serve.url}/#/problems/echo`);
      await page.getByLabel('Program').waitFor();
      const session = await page.context().newCDPSession(page);
      const { nodes } = await session.send('Accessibility.getFullAXTree');
      const editor = nodes.find(({ name }) => name?.value === 'Program');
      expect(editor?.description?.value).toContain('Escape, then Tab, leaves');
      const buffer = Buffer.from(`${'# '.padEnd(99, '.')}\n`.repeat(110_000));
      const mimeType = 'text/x-python';
      await page.locator('#file').setInputFiles({ name: 'large.py', mimeType, buffer });
      await page.getByText('10.5 MiB of 128 KiB').waitFor();
      expect(complaints).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'keeps the key of this device when a wrong one is entered',
    async () => {
      await using opened = await openPage(browser, serve.url, undefined, TIMEOUT);
      const { page } = opened;
      const enter = async (key: string, remember: boolean): Promise<void> => {
        await page.getByLabel('API key').fill(key);
        await page.getByLabel('Remember it on this device').setChecked(remember);
        await page.getByLabel('API key').press('Enter');
      };
      const out = (of: Page) => of.getByRole('button', { name: 'Sign out' });
      const other = await page.context().newPage();
      await other.goto(serve.url);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await enter(alice.key ?? '', true);
      await out(page).waitFor();
      // The other tab was opened before, so it asks for a key, and gets a wrong one.
      await other.getByRole('button', { name: 'Sign in' }).click();
      await other.getByLabel('API key').fill('sk_wrong');
      await other.getByLabel('API key').press('Enter');
      await other.getByRole('dialog').getByText('unknown or revoked').waitFor();
      // So does a page that could not ask whose key it has.
      await page.route('**/api/v1/me', (route) => route.abort(), { times: 1 });
      await page.reload();
      await page.getByRole('button', { name: 'Sign in' }).click();
      await enter('sk_wrong', true);
      await page.getByRole('dialog').getByText('unknown or revoked').waitFor();

      const third = await page.context().newPage();
      await third.goto(serve.url);
      await out(third).waitFor();
      expect(await third.getByText('alice', { exact: true }).count()).toBe(1);
    },
    TIMEOUT,
  );

  it(
    'leads back from an unknown address',
    async () => {
      await using opened = await openPage(browser, serve.url, undefined, TIMEOUT);
      const { page, complaints } = opened;
      await page.goto(`${serve.url}/#/problems/none`);
      await page.getByText('There is no problem "none".').waitFor();
      await page.getByRole('link', { name: 'All problems' }).click();
      await heading(page, 'Problems').waitFor();
      await page.getByRole('link', { name: 'Submissions' }).click();
      await page.getByText('Programs are shown to their authors.').waitFor();
      expect(complaints.filter((text) => !/status of 404/.test(text))).toEqual([]);
    },
    TIMEOUT,
  );
});
