/** The pages that describe the API: `/openapi.json` for programs, `/docs` for readers. */
import { createHash } from 'node:crypto';
import { createOpenApiDocument, type NodeView } from '@skein/api';
import { docsStyle } from '@skein/console';
import type { Page } from '@skein/http';
import { renderDocsPage } from './docs-page.ts';

export interface Pages {
  find(path: string): Page | undefined;
}

/** Pages are rendered on the first request and cached. */
export function createPages(nodeInfo: () => NodeView): Pages {
  const rendered = new Map<string, Page>();
  const renderers: Readonly<Record<string, () => Page>> = {
    '/openapi.json': () => ({
      type: 'application/json',
      body: Buffer.from(JSON.stringify(createOpenApiDocument(nodeInfo().version))),
      // A page of any origin may read the description.
      headers: ['Access-Control-Allow-Origin', '*'],
    }),
    '/docs': () => {
      const { version, ports } = nodeInfo();
      const body = renderDocsPage(version, `http://127.0.0.1:${ports.http}`, docsStyle());
      const style = /<style>([\s\S]*?)<\/style>/.exec(body)?.[1] ?? '';
      const hash = createHash('sha256').update(style).digest('base64');
      return {
        type: 'text/html; charset=utf-8',
        body: Buffer.from(body),
        headers: [
          'Content-Security-Policy',
          `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
          'X-Frame-Options',
          'DENY',
          'Referrer-Policy',
          'no-referrer',
        ],
      };
    },
  };
  return {
    find(path) {
      const known = rendered.get(path);
      if (known !== undefined || !Object.hasOwn(renderers, path)) return known;
      const page = renderers[path]?.();
      if (page !== undefined) rendered.set(path, page);
      return page;
    },
  };
}
