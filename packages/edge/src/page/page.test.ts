/** A page with a model in Chromium: installed, offline with its server killed, updated, broken on purpose, and evicted. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GraphBuilder, tensor, values, writeModel, type NumericTensor } from '@skein/onnx';
import { nativeRuntime } from '@skein/runtime';
import { wasmRuntime } from '@skein/runtime/wasm';
import type { Runtime } from '@skein/runtime/contract';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, problemsOf } from '../../../../scripts/testing/browser.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { smallModel, smallPublisher, type SmallPublisher } from '../bundle/testing/small-bundle.ts';
import type { MemoryPlace } from '../trust/testing/memory-place.ts';
import { HEALTH_ANSWERS } from '../update/state.ts';
import { call, openSite, PAGE, sessionWorkers, type Site } from './testing/site.ts';

/** Quick to load, or large enough that a quota ends amid its files. */
const MODELS = [smallModel(1), smallModel(2), smallModel(3, 40_000)];
const expected: number[][] = [];
const places: MemoryPlace[] = [];
let publisher: SmallPublisher;
let broken: MemoryPlace;
let browser: Browser;

interface Answer {
  readonly where: string;
  readonly why: string;
  readonly version: string;
  readonly y: readonly number[];
  readonly failed?: { readonly code?: string; readonly message: string };
}

const isNear = (found: readonly number[], wanted: readonly number[]): void => {
  expect(found).toHaveLength(wanted.length);
  for (const [i, each] of wanted.entries()) expect(found[i]).toBeCloseTo(each, 4);
};

/** Computes with other weights than it is given: its golden vectors belong to another model. */
const wrong = (runtime: Runtime): Runtime => ({
  ...runtime,
  open: (_, options) => runtime.open({ bytes: MODELS[0]!.slice() }, options),
});

const browserAvailable = requireComponent('chromium');

describe.skipIf(browserAvailable.skip)('a page', () => {
  let site: Site;

  beforeAll(async () => {
    publisher = await smallPublisher();
    for (const model of MODELS) {
      const session = await nativeRuntime.open(
        { bytes: model.slice() },
        { device: 'cpu', threads: 1, isolation: 'thread' },
      );
      const x = tensor('float32', [1, 4], Float32Array.of(1, -2, 3, -4));
      const { outputs } = await session.run(new Map([['x', x]]));
      expected.push(Array.from(values(outputs.get('y') as NumericTensor), Number));
      await session.close();
      await publisher.pack(model);
      places.push(publisher.place.copy());
    }
    broken = places[0]!.copy();
    await publisher.pack(
      MODELS[1]!,
      { runtimes: { native: wrong(nativeRuntime), wasm: wrong(wasmRuntime) } },
      broken,
    );
    site = await openSite(publisher.root);
    browser = await launchBrowser();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await site?.[Symbol.asyncDispose]();
  });

  async function load(page: Page, options: object = {}): Promise<number | undefined> {
    await page.waitForFunction(() => 'start' in globalThis);
    return call(page, 'start', options);
  }
  /** A visitor with private files of its own. */
  async function visit(options: object = {}, at = site): Promise<Page> {
    const page = await (await browser.newContext()).newPage();
    await page.goto(at.url);
    await load(page, options);
    return page;
  }
  const infer = (page: Page, options: object = {}): Promise<Answer> => call(page, 'infer', options);
  async function commit(page: Page): Promise<void> {
    for (let count = 0; count < HEALTH_ANSWERS; count++) await infer(page);
  }

  it('installs, answers in a worker, and starts again while its server is dead', async () => {
    site.publish(places[0]!);
    const page = await visit();
    const problems = problemsOf(page);
    expect(await infer(page)).toMatchObject({ failed: { code: 'EDGE_NOT_ANSWERED' } });
    expect(await call(page, 'update')).toMatchObject({ kind: 'updated', version: 1, from: null });
    const answer = await infer(page);
    expect(answer).toMatchObject({
      where: 'local',
      why: 'the device is fast enough',
      version: '1',
      runsOn: { backend: 'wasm', threads: 1, why: 'WebGPU: this browser has no adapter' },
    });
    isNear(answer.y, expected[0]!);
    await call(page, 'keepOffline', 'sw.js');
    await site.kill();
    try {
      // Twice: the first reload might have been answered by a cache of HTTP.
      for (let reload = 0; reload < 2; reload++) {
        await page.reload();
        expect(await load(page)).toBe(1);
        isNear((await infer(page)).y, expected[0]!);
      }
      expect(problems.filter((each) => !each.includes('404'))).toEqual([]);
      expect(await call(page, 'update')).toMatchObject({ failed: { code: 'EDGE_UNREACHABLE' } });
      isNear((await infer(page)).y, expected[0]!);
    } finally {
      await site.restart();
    }
    expect(await call(page, 'update')).toEqual({ kind: 'trial', version: 1 });
    await page.context().close();
  }, 60_000);

  it('updates while it answers, with one worker for the new version', async () => {
    site.publish(places[0]!);
    const page = await visit();
    await call(page, 'update');
    await commit(page);
    site.publish(places[1]!);
    const [outcome, ...during] = await Promise.all([
      call(page, 'update'),
      ...Array.from({ length: 30 }, () => infer(page)),
    ]);
    expect(outcome).toMatchObject({ kind: 'updated', version: 2, from: 1 });
    for (const { version, y } of during) isNear(y, expected[Number(version) - 1]!);
    const after = await infer(page);
    expect(after.version).toBe('2');
    isNear(after.y, expected[1]!);
    expect(sessionWorkers(page)).toHaveLength(1);
    await page.context().close();
  }, 60_000);

  it('refuses a version whose golden vectors fail here, and remembers it', async () => {
    site.publish(places[0]!);
    const page = await visit();
    await call(page, 'update');
    await commit(page);
    site.publish(broken);
    const refused = {
      kind: 'refused',
      version: 2,
      reason: expect.stringMatching(/numbers differ/),
    };
    expect(await call(page, 'update')).toEqual(refused);
    isNear((await infer(page)).y, expected[0]!);
    await page.reload();
    expect(await load(page)).toBe(1);
    expect(await call(page, 'state')).toMatchObject({ version: 1, failed: [{ version: 2 }] });
    expect(await call(page, 'update')).toEqual(refused);
    await page.context().close();
  }, 60_000);

  it('rolls back a version whose worker ends on trial, and loses no answer', async () => {
    site.publish(places[0]!);
    const page = await visit();
    await call(page, 'update');
    await commit(page);
    site.publish(places[1]!);
    expect(await call(page, 'update')).toMatchObject({ version: 2 });
    expect((await infer(page)).version).toBe('2');
    const [worker] = sessionWorkers(page);
    await worker!.evaluate('self.close()').catch(() => undefined);
    const answers = await Promise.all(Array.from({ length: 20 }, () => infer(page)));
    for (const { version, y } of answers) {
      expect(version).toBe('1');
      isNear(y, expected[0]!);
    }
    expect(answers[0]!.why).toBe('version 2 has failed');
    const { failed } = await call<{ failed: unknown }>(page, 'state');
    expect(failed).toMatchObject([{ version: 2, reason: 'The worker of the session has ended.' }]);
    expect(await call(page, 'update')).toMatchObject({ kind: 'refused', version: 2 });
    await page.context().close();
  }, 60_000);

  it('starts the worker of a committed version again when it ends', async () => {
    site.publish(places[0]!);
    const page = await visit();
    await call(page, 'update');
    await commit(page);
    for (const worker of sessionWorkers(page)) {
      await worker.evaluate('self.close()').catch(() => undefined);
    }
    const answer = await infer(page);
    expect(answer.version).toBe('1');
    isNear(answer.y, expected[0]!);
    expect(await call(page, 'state')).toMatchObject({ version: 1, failed: [] });
    await page.context().close();
  }, 60_000);

  it('sends no private input, and another one where it has no version', async () => {
    let requests = 0;
    const node = createServer((request, response) => {
      if (request.method === 'POST') requests += 1;
      const any = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' };
      response.writeHead(request.method === 'OPTIONS' ? 204 : 503, any).end();
    }).listen(0, '127.0.0.1');
    await once(node, 'listening');
    const server = { url: `http://127.0.0.1:${(node.address() as AddressInfo).port}` };
    site.publish(places[0]!);
    const page = await visit({ server });
    const failed = { code: 'EDGE_NOT_ANSWERED', message: expect.stringContaining('is private') };
    expect(await infer(page, { private: true })).toMatchObject({ failed });
    await call(page, 'update');
    for (let run = 0; run < 25; run++) await infer(page, { private: true, deadlineMs: 0.001 });
    expect(requests).toBe(0);
    const other = await visit({ server });
    expect(await infer(other)).toMatchObject({ failed: { code: 'NODE_UNREACHABLE' } });
    expect(requests).toBe(1);
    await other.context().close();
    await page.context().close();
    node.closeAllConnections();
    node.close();
  }, 60_000);

  it('keeps its version when the quota ends amid a write, and installs later', async () => {
    site.publish(places[1]!);
    const page = await visit();
    await call(page, 'update');
    await commit(page);
    site.publish(places[2]!);
    const client = await page.context().newCDPSession(page);
    const { origin } = new URL(page.url());
    const { usage = 0 } = await page.evaluate(() => navigator.storage.estimate());
    await client.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: usage + 500_000 });
    expect(await call(page, 'update')).toMatchObject({ failed: { code: 'STORAGE_FULL' } });
    isNear((await infer(page)).y, expected[1]!);
    const after = await page.evaluate(() => navigator.storage.estimate());
    expect(after.usage).toBeLessThan(usage + 100_000);
    await client.send('Storage.overrideQuotaForOrigin', { origin });
    expect(await call(page, 'update')).toMatchObject({ kind: 'updated', version: 3, from: 2 });
    isNear((await infer(page)).y, expected[2]!);
    await page.context().close();
  }, 60_000);

  it('installs again after the browser has deleted all of it', async () => {
    site.publish(places[0]!);
    const page = await visit();
    await call(page, 'update');
    await call(page, 'keepOffline', 'sw.js');
    const client = await page.context().newCDPSession(page);
    const { origin } = new URL(page.url());
    await client.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' });
    // The loaded version still answers.
    isNear((await infer(page)).y, expected[0]!);
    await page.reload();
    expect((await load(page)) ?? 'none').toBe('none');
    expect(await call(page, 'update')).toMatchObject({ kind: 'updated', version: 1, from: null });
    isNear((await infer(page)).y, expected[0]!);
    await page.context().close();
  }, 60_000);

  it('follows the version that another page of the same site has installed', async () => {
    site.publish(places[0]!);
    const first = await visit();
    await call(first, 'update');
    await commit(first);
    const second = await first.context().newPage();
    await second.goto(site.url);
    expect(await load(second)).toBe(1);
    isNear((await infer(second)).y, expected[0]!);
    site.publish(places[1]!);
    expect(await call(second, 'update')).toMatchObject({ kind: 'updated', version: 2 });
    isNear((await infer(first)).y, expected[0]!);
    expect(await call(first, 'update')).toEqual({ kind: 'trial', version: 2 });
    isNear((await infer(first)).y, expected[1]!);
    await first.context().close();
  }, 60_000);

  it('takes a new release of its files as a whole', async () => {
    site.publish(places[0]!);
    const page = await visit();
    await call(page, 'update');
    await call(page, 'keepOffline', 'sw.js');
    await site.release(PAGE.replace('A page with', 'A new page with'));
    await page.reload();
    expect(await page.title()).toBe('A page with a model');
    await page.evaluate(async () => {
      await (await navigator.serviceWorker.getRegistration())!.update();
    });
    // The new release waits once all of its files are kept.
    const isWaiting = () =>
      page.evaluate(
        async () => (await navigator.serviceWorker.getRegistration())!.waiting !== null,
      );
    await expect.poll(isWaiting).toBe(true);
    await page.reload();
    expect(await page.title()).toBe('A page with a model');
    const other = await page.context().newPage();
    await other.goto(site.url);
    await other.waitForFunction(() => 'start' in globalThis);
    await call(other, 'keepOffline', 'sw.js');
    expect(await isWaiting()).toBe(true);
    await other.close();
    await call(page, 'keepOffline', 'sw.js').catch(() => undefined);
    await page.waitForFunction(() => document.title === 'A new page with a model');
    await site.kill();
    await page.reload();
    expect(await page.title()).toBe('A new page with a model');
    await load(page);
    isNear((await infer(page)).y, expected[0]!);
    await site.restart();
    await site.release();
    await page.context().close();
  }, 60_000);

  it('computes on threads where it is isolated, with the same numbers', async () => {
    site.publish(places[0]!);
    const page = await visit({ threads: 2, backends: ['wasm'] });
    await call(page, 'update');
    const answer = await infer(page);
    expect(answer).toMatchObject({ runsOn: { backend: 'wasm', threads: 2 } });
    isNear(answer.y, expected[0]!);
    await page.context().close();
  }, 60_000);

  it('computes on a graphics adapter that gives the right numbers, unless the processor imitates it', async () => {
    const gpu = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
    const graphics = await launchBrowser([...gpu, '--enable-features=Vulkan']);
    const dist = new URL('./', import.meta.resolve('onnxruntime-web/webgpu'));
    await using withGraphics = await openSite(publisher.root, dist);
    withGraphics.publish(places[0]!);
    const page = await graphics.newPage();
    await page.goto(withGraphics.url);
    await load(page, { backends: ['webgpu', 'wasm'] });
    await call(page, 'update');
    const answer = await infer(page);
    expect(answer).toMatchObject({ runsOn: { backend: 'webgpu' } });
    isNear(answer.y, expected[0]!);
    await page.reload();
    await load(page);
    const imitated = 'WebGPU: the processor imitates the adapter';
    expect(await infer(page)).toMatchObject({ runsOn: { backend: 'wasm', why: imitated } });
    await graphics.close();
  }, 90_000);

  it('falls back from a graphics adapter that gives other numbers', async () => {
    // Adapters reduce large angles with less precision than processors do.
    const graph = new GraphBuilder('angles');
    const x = graph.input('x', 'float32', [1, 4]);
    const scale = graph.initializer('scale', tensor('float32', [1], Float32Array.of(1e6)));
    const [angle] = graph.node('Mul', [x, scale]);
    graph.node('Sin', [angle], {}, { outputs: ['y'] });
    graph.output('y', 'float32', [1, 4]);
    const other = await smallPublisher();
    await other.pack(new Uint8Array(writeModel(graph.model())));
    const gpu = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
    const graphics = await launchBrowser([...gpu, '--enable-features=Vulkan']);
    const dist = new URL('./', import.meta.resolve('onnxruntime-web/webgpu'));
    await using withGraphics = await openSite(other.root, dist);
    withGraphics.publish(other.place);
    const page = await graphics.newPage();
    await page.goto(withGraphics.url);
    await load(page, { backends: ['webgpu', 'wasm'] });
    expect(await call(page, 'update')).toMatchObject({ kind: 'updated' });
    const runsOn = { backend: 'wasm', why: expect.stringMatching(/^WebGPU: numbers differ by/) };
    expect(await infer(page)).toMatchObject({ runsOn });
    await graphics.close();
  }, 90_000);

  it('keeps a version that runs over any number of starts without an answer', async () => {
    site.publish(places[0]!);
    const page = await visit();
    await call(page, 'update');
    for (let start = 0; start < 5; start++) {
      await page.reload();
      expect(await load(page)).toBe(1);
    }
    expect(await call(page, 'state')).toMatchObject({ version: 1, failed: [] });
    await page.context().close();
  }, 60_000);

  it('returns an input that the model refuses to its caller, and keeps the version', async () => {
    site.publish(places[0]!);
    const page = await visit();
    await call(page, 'update');
    const failed = { name: 'RuntimeFailure', kind: 'run' };
    expect(await call(page, 'infer', {}, [2, 2])).toMatchObject({ failed });
    isNear((await infer(page)).y, expected[0]!);
    expect(await call(page, 'state')).toMatchObject({ version: 1, failed: [] });
    await page.context().close();
  }, 60_000);
});
