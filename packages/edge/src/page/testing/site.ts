/** A site with a page that runs a bundle, and the device of one visitor in Chromium. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Page, Worker } from 'playwright-core';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { pageFiles, serviceWorker } from '../../page-files/pages.ts';
import type { MemoryPlace } from '../../trust/testing/memory-place.ts';

const PAGE = `<!doctype html>
<title>A page with a model</title>
<link rel="icon" href="data:," />
<script type="module">
  import { createEdge, keepOffline } from './edge/edge.js';
  const x = () => ({ type: 'float32', shape: [1, 4], bytes: new Uint8Array(Float32Array.of(1, -2, 3, -4).buffer) });
  const failure = ({ name, code, kind, message }) => ({ failed: { name, code, kind, message } });
  Object.assign(globalThis, {
    keepOffline,
    async start(options = {}) {
      const root = await (await fetch('./root.json')).bytes();
      globalThis.edge = await createEdge({ model: 'risk', source: './published', pinnedRoot: root, ...options });
      return edge.version;
    },
    async infer(options, shape = [1, 4]) {
      const input = { ...x(), shape };
      try {
        const { outputs, ...rest } = await edge.infer(new Map([['x', input]]), options);
        const { bytes } = outputs.get('y');
        return { ...rest, y: [...new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)] };
      } catch (error) {
        return failure(error);
      }
    },
    update: () => edge.update().catch(failure),
    state: () => ({ version: edge.version, failed: edge.failed, runsOn: edge.runsOn }),
  });
</script>
`;

export interface Site {
  readonly url: string;
  /** Publishes what the place has now. */
  publish(place: MemoryPlace): void;
  /** Replaces files of the page, and its service worker. */
  release(page?: string): Promise<void>;
  /** Ends the process with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again at the same address. */
  restart(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openSite(root: Uint8Array, webgpu?: URL): Promise<Site> {
  const folder = testFolder();
  const write = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  let server: ChildProcess | undefined;
  async function start(port: string): Promise<string> {
    const script = join(import.meta.dirname, 'site-process.ts');
    server = spawn(process.execPath, [script, folder, port], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [chosen] = (await once(server.stdout!, 'data')) as [Buffer];
    return chosen.toString().trim();
  }
  const kill = async (): Promise<void> => {
    if (server === undefined) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
    server = undefined;
  };

  const scripts = await pageFiles({ webgpu });
  for (const [name, bytes] of scripts) write(`edge/${name}`, bytes);
  const site = {
    publish(place: MemoryPlace) {
      rmSync(join(folder, 'published'), { recursive: true, force: true });
      for (const [path, bytes] of place.files) write(`published/${path}`, bytes);
    },
    async release(page = PAGE) {
      const files = new Map([...scripts].map(([name, bytes]) => [`edge/${name}`, bytes]));
      files
        .set('index.html', new TextEncoder().encode(page))
        .set('root.json', new Uint8Array(root));
      for (const path of ['index.html', 'root.json']) write(path, files.get(path)!);
      write('sw.js', await serviceWorker(files));
    },
    kill,
  };
  await site.release();
  const port = await start('0');
  return {
    ...site,
    url: `http://127.0.0.1:${port}/`,
    async restart() {
      await start(port);
    },
    [Symbol.asyncDispose]: kill,
  };
}

export { PAGE };

/** An expression in the page. */
export function call<T>(page: Page, name: string, ...given: unknown[]): Promise<T> {
  return page.evaluate<T>(`globalThis.${name}(...${JSON.stringify(given)})`);
}

/** The workers of sessions that live now. */
export function sessionWorkers(page: Page): Worker[] {
  return page.workers().filter((each) => each.url().includes('session-'));
}
