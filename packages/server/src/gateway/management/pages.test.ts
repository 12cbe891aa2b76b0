import { createOpenApiDocument, ENDPOINTS, ERRORS, type NodeView } from '@skein/api';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { html, prose } from './html.ts';
import { createPages } from './pages.ts';
import { startManagement, type TestNode } from './testing/start-management.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startManagement();
});
afterAll(() => node.close());

describe('/openapi.json', () => {
  it('describes this version, readable by pages of any origin', async () => {
    const response = await fetch(`${node.url}/openapi.json`);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(await response.json()).toEqual(createOpenApiDocument('0.0.0-test'));
  });
});

describe('/docs', () => {
  it('shows every endpoint and every error, and loads no external resource', async () => {
    const response = await fetch(`${node.url}/docs`);
    const text = await response.text();
    for (const id of Object.keys(ENDPOINTS)) expect(text).toContain(`id="${id}"`);
    for (const code of Object.keys(ERRORS)) expect(text).toContain(`id="error-${code}"`);
    expect(text).not.toMatch(/<script|https?:\/\/(?!127\.0\.0\.1)[^"\s]*\.(css|js)|@import|url\(/);
    expect(response.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-/,
    );
  });

  it('has a target for every link within it', async () => {
    const text = await (await fetch(`${node.url}/docs`)).text();
    const ids = new Set([...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const links = [...text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    expect(links.length).toBeGreaterThan(100);
    expect(links.filter((link) => !ids.has(link))).toEqual([]);
  });
});

describe('a page', () => {
  it.each(['/docs', '/openapi.json'])('is written once, off the event loop: %s', async (path) => {
    const pages = createPages(() => ({ version: '1.2.3', ports: { http: 4700 } }) as NodeView);
    let turns = 0;
    const count = (): void => {
      turns++;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    onTestFinished(() => clearImmediate(timer));
    const [first, second] = await Promise.all([pages.find(path), pages.find(path)]);
    // Written on the event loop, it would be there before the next turn.
    expect(turns).toBeGreaterThan(10);
    expect(first!.body.toString()).toContain('1.2.3');
    expect(second).toBe(first);
  });
});

describe('html', () => {
  it('escapes what is put into it', () => {
    expect(html`<b title="${'"><script>'}">${['<i>', html`<u>${"'&"}</u>`]}</b>`.text).toBe(
      '<b title="&quot;&gt;&lt;script&gt;">&lt;i&gt;<u>&#39;&amp;</u></b>',
    );
    expect(prose('`<x>` and <y>').text).toBe('<code>&lt;x&gt;</code> and &lt;y&gt;');
  });
});
