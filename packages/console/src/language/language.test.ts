/** The page of the language models in a real browser, against a node and its upstream. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, problemsOf } from '../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import {
  type LanguageNode,
  startLanguageNode,
} from '../../../server/src/language/testing/language-node.ts';

const SHOTS = process.env['SKEIN_SCREENSHOTS'];
const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)(
  'the page of the language models',
  { timeout: 60_000 },
  () => {
    let browser: Browser;
    let started: LanguageNode;
    let page: Page;
    let problems: string[];

    beforeAll(async () => {
      [browser, started] = await Promise.all([launchBrowser(), startLanguageNode()]);
      page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
      problems = problemsOf(page);
    });
    afterAll(async () => {
      await browser?.close();
      await started?.close();
    });

    it('streams an answer and a call of a tool, shows the code, and counts the cost', async () => {
      await started.node.client.putBudget({ subject: 'all', period: 'day', usd: 5 });
      await page.goto(`${started.node.url}/#/language`);
      await page.getByText('up: big').waitFor();
      await page.getByLabel('Message').fill(`It's "me"`);
      await page.getByRole('button', { name: 'Send' }).click();
      await page.locator('.text', { hasText: 'Hello there' }).waitFor();
      await page.getByText(/3 tokens, \$0\.000037, by up, ended by stop/).waitFor();
      expect(await page.locator('pre', { hasText: 'curl -N' }).textContent()).toContain(`It'\\''s`);
      expect(await page.locator('pre', { hasText: 'new OpenAI' }).count()).toBe(1);

      await page.getByText('Tools', { exact: true }).click();
      await page
        .getByLabel('Declarations')
        .fill('[{"type":"function","function":{"name":"weather"}}]');
      await page.getByLabel('Message').fill('How is the weather?');
      await page.getByRole('button', { name: 'Send' }).click();
      await page.getByText('weather({"city":"Ulm"})').waitFor();
      await page.getByText(/^2$/).waitFor();
      await page.locator('tr', { hasText: 'day' }).getByText('$5.0000').waitFor();
      if (SHOTS !== undefined)
        await page.screenshot({ path: `${SHOTS}/language.png`, fullPage: true });

      await page.getByLabel('Declarations').fill('');
      await page.getByLabel('Message').fill('forever');
      await page.getByRole('button', { name: 'Send' }).click();
      await page.locator('.text', { hasText: 'more more' }).waitFor();
      await page.getByRole('button', { name: 'Stop' }).click();
      await expect.poll(() => started.upstream.open).toBe(0);
      expect(problems).toEqual([]);
    });

    it('keeps the focus on the button that was pressed, and ends what a reader has left', async () => {
      await page.getByLabel('Message').fill('forever');
      await page.getByRole('button', { name: 'Send' }).press('Enter');
      await page.locator('.text', { hasText: 'more more' }).waitFor();
      expect(await page.locator(':focus').textContent()).toBe('Send');
      await page.goto(`${started.node.url}/#/jobs`);
      await expect.poll(() => started.upstream.open).toBe(0);
      await page.goto(`${started.node.url}/#/language`);
      const path = '**/v1/chat/completions';
      await page.route(path, (route) => route.abort('connectionrefused'));
      await page.getByRole('button', { name: 'Send' }).click();
      await page.getByText('The server does not answer.').waitFor();
      await page.unroute(path);
      expect(problems.splice(0)).toEqual([expect.stringContaining('ERR_CONNECTION_REFUSED')]);
    });

    it('shows what no route has answered', async () => {
      const { client, url } = started.node;
      await client.putProvider({ name: 'gone', kind: 'openai', baseUrl: 'http://127.0.0.1:9' });
      await client.putLanguageModel({ name: 'lost', routes: [{ provider: 'gone', model: 'big' }] });
      const body = JSON.stringify({ model: 'lost', messages: [{ role: 'user', content: 'Hi' }] });
      const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body });
      expect(response.status).toBeGreaterThanOrEqual(500);
      await page
        .locator('tr', { hasText: 'no route has answered' })
        .getByText('1 failed')
        .waitFor();
    });

    it('shows what a provider was used for once, however many routes lead to it', async () => {
      await started.node.client.putLanguageModel({
        name: 'twice',
        routes: [
          { provider: 'up', model: 'big' },
          { provider: 'up', model: 'small' },
        ],
      });
      const rows = page.locator('tr', { hasText: 'twice' });
      await rows.filter({ hasText: 'up: small' }).getByText('counted with big').waitFor();
      expect(await rows.filter({ hasText: '$' }).count()).toBe(1);
    });

    it('shows what is redacted, and how often', async () => {
      const { client } = started.node;
      await client.putRedaction({ name: 'mail', kind: 'email', of: 'prompts' });
      await client.putRedaction({ name: 'greeting', pattern: 'Hello', of: 'answers' });
      const content = 'Write to a@b.de, not to c@d.fr';
      const response = await fetch(`${started.node.url}/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify({ model: 'assistant', messages: [{ role: 'user', content }] }),
      });
      expect(response.headers.get('skein-redacted')).toBe('3');
      const rowOf = (name: string) => page.locator(`[data-redaction="${name}"]`);
      await rowOf('mail').getByText('2 replaced').waitFor();
      await rowOf('mail').getByText('[mail]').waitFor();
      await rowOf('greeting').getByText('1 replaced').waitFor();
      expect(await rowOf('greeting').textContent()).toContain('0 replaced');
      const metrics = await (await fetch(`${started.node.url}/metrics`)).text();
      expect(metrics).toContain('skein_language_redacted_total{redaction="mail",in="prompts"} 2');
      // A change of the declarations opens another gateway; the counts stay.
      await client.removeRedaction({ name: 'greeting' });
      await rowOf('greeting').waitFor({ state: 'detached' });
      expect(await rowOf('mail').textContent()).toContain('2 replaced');
      if (SHOTS !== undefined)
        await page.screenshot({ path: `${SHOTS}/language-redactions.png`, fullPage: true });
      expect(problems).toEqual([]);
    });

    it('shows how a rollout goes', async () => {
      const { client } = started.node;
      await client.putProvider({ name: 'next', kind: 'openai', baseUrl: started.upstream.url });
      await client.rollOutLanguageModel({
        name: 'assistant',
        route: { provider: 'next', model: 'bigger', price: { input: 1, output: 10 } },
        plan: { strategy: 'shadow', steps: [100], stepMs: 3_600_000 },
      });
      const response = await fetch(`${started.node.url}/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify({ model: 'assistant', messages: [{ role: 'user', content: 'Hi' }] }),
      });
      expect(response.status).toBe(200);
      const rollout = page.locator('[data-rollout="assistant"]');
      await rollout.getByText('assistant: up=big → next=bigger').waitFor();
      await rollout.getByText('shadow, 100 %').waitFor();
      await rollout.getByText('1 copies for $0.0000, 0 skipped').waitFor();
      if (SHOTS !== undefined)
        await page.screenshot({ path: `${SHOTS}/language-rollout.png`, fullPage: true });
      expect(problems).toEqual([]);
    });
  },
);
