/** The pages that describe the API: `/openapi.json` for programs, `/docs` for readers. */
import { createHash } from 'node:crypto';
import type { NodeView } from '@skein/api';
import { type StartedThread, startThread, withWorker } from '@skein/calls';
import { docsStyle } from '@skein/console';
import type { Page } from '@skein/http';
import type { PagesCalls } from './pages-worker.ts';

const WORKER_ENTRY = new URL('./pages-worker.ts', import.meta.url);

export interface Pages {
  /** @returns undefined at once when there is none. */
  find(path: string): Promise<Page> | undefined;
}

type Call = StartedThread<PagesCalls>['call'];

/** All pages are written on the first request for one, by one thread next to the event loop, and cached. */
export function createPages(nodeInfo: () => NodeView): Pages {
  let written: Promise<ReadonlyMap<string, Page>> | undefined;
  const writers: Readonly<Record<string, (call: Call) => Promise<Page>>> = {
    '/openapi.json': async (call) => ({
      type: 'application/json',
      body: Buffer.from(await call('openApi', nodeInfo().version)),
      // A page of any origin may read the description.
      headers: ['Access-Control-Allow-Origin', '*', 'Cache-Control', 'no-cache'],
    }),
    '/docs': async (call) => {
      const { version, ports } = nodeInfo();
      const origin = `http://127.0.0.1:${ports.http}`;
      const body = await call('docs', { version, origin, styles: docsStyle() });
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
          'Cache-Control',
          'no-cache',
        ],
      };
    },
  };

  async function writeAll(): Promise<ReadonlyMap<string, Page>> {
    const thread = startThread<PagesCalls>(WORKER_ENTRY, { name: 'skein-pages' });
    const pages = await withWorker(thread, ({ call }) =>
      Promise.all(Object.values(writers).map((write) => write(call))),
    );
    return new Map(Object.keys(writers).map((path, index) => [path, pages[index]!]));
  }

  async function read(path: string): Promise<Page> {
    written ??= writeAll();
    try {
      return (await written).get(path)!;
    } catch (error) {
      // The next request tries again.
      written = undefined;
      throw error;
    }
  }

  return {
    find: (path) => (Object.hasOwn(writers, path) ? read(path) : undefined),
  };
}
