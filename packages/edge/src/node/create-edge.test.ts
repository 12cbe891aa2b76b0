/** A device with Node and a real node: where each answer comes from, and what leaves the device. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tensor, values, type NumericTensor, type TensorMap } from '@skein/onnx';
import { nativeRuntime } from '@skein/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { startNodeProcess, type NodeProcess } from '../../../server/src/testing/node-process.ts';
import { smallModel, smallPublisher, type SmallPublisher } from '../bundle/testing/small-bundle.ts';
import type { Place } from '../trust/publish.ts';
import type { Edge, EdgeAnswer } from '../hybrid/answers.ts';
import { createEdge, type EdgeOptions } from './create-edge.ts';

const MODELS = [1, 2, 3].map((seed) => smallModel(seed));
const places: Place[] = [];
let publisher: SmallPublisher;
let node: NodeProcess;

const row = (): TensorMap =>
  new Map([['x', tensor('float32', [1, 4], Float32Array.of(1, -2, 3, -4))]]);
const numbersOf = ({ outputs }: EdgeAnswer): number[] =>
  Array.from(values(outputs.get('y') as NumericTensor), Number);
const expected: number[][] = [];

async function deviceOf(change: Partial<EdgeOptions> = {}): Promise<Edge> {
  const options = {
    model: 'risk',
    source: places[0]!,
    pinnedRoot: publisher.root,
    folder: testFolder(),
  };
  return createEdge({ ...options, ...change });
}

beforeAll(async () => {
  publisher = await smallPublisher();
  for (const model of MODELS.slice(0, 2)) {
    await publisher.pack(model, { runtimes: { native: nativeRuntime } });
    places.push(publisher.place.copy());
  }
  for (const model of MODELS) {
    const session = await nativeRuntime.open(
      { bytes: model.slice() },
      { device: 'cpu', threads: 1, isolation: 'thread' },
    );
    const { outputs } = await session.run(row());
    expected.push(Array.from(values(outputs.get('y') as NumericTensor), Number));
    await session.close();
  }
  node = await startNodeProcess();
  await node.deploy('risk', MODELS[2]!);
}, 120_000);
afterAll(async () => {
  await node?.[Symbol.asyncDispose]();
});

/** A server that counts what reaches it, and is never ready. */
async function refusingServer(): Promise<
  AsyncDisposable & { readonly url: string; requests: number }
> {
  const server = createServer((request, response) => {
    counted.requests += 1;
    request.resume();
    response.writeHead(503, { 'retry-after': '30' }).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const counted = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return counted;
}

/** How long the process of a slow device stands still in one of its runs. */
const SLOW_MS = 800;

/** Runs until the device has a p99. @param pid of its process; absent: it is not slow. */
async function measured(edge: Edge, pid?: number): Promise<void> {
  if (pid !== undefined) {
    process.kill(pid, 'SIGSTOP');
    setTimeout(() => process.kill(pid, 'SIGCONT'), SLOW_MS);
  }
  for (let run = 0; run < 20; run++) await edge.infer(row(), { private: true });
}

describe('a device', () => {
  it('without a version asks the node, and sends no private input', async () => {
    const edge = await deviceOf({ server: { url: node.url } });
    const answer = await edge.infer(row());
    expect(answer).toMatchObject({ where: 'remote', why: 'no version is installed', version: '1' });
    expect(numbersOf(answer)).toEqual(expected[2]);
    await using counted = await refusingServer();
    const other = await deviceOf({ server: { url: counted.url } });
    await expect(other.infer(row(), { private: true })).rejects.toMatchObject({
      code: 'EDGE_NOT_ANSWERED',
      message: 'risk: no version is installed, and the input is private.',
    });
    expect(counted.requests).toBe(0);
    await edge.close();
    await other.close();
  });

  it('answers itself once it has a version, also after a start without any network', async () => {
    const folder = testFolder();
    const edge = await deviceOf({ folder, server: { url: node.url } });
    expect(await edge.update()).toMatchObject({ kind: 'updated', version: 1, from: null });
    const answer = await edge.infer(row());
    expect(answer).toMatchObject({
      where: 'local',
      why: 'the device is fast enough',
      version: '1',
    });
    expect(numbersOf(answer)).toEqual(expected[0]);
    await edge.close();
    const source = { place: 'nowhere', read: async () => Promise.reject(new Error('no network')) };
    const offline = await deviceOf({ folder, source });
    expect(numbersOf(await offline.infer(row()))).toEqual(expected[0]);
    await expect(offline.update()).rejects.toThrow('no network');
    expect(offline.version).toBe(1);
    await offline.close();
  });

  it('that stands still asks the node as well, and takes the first answer', async () => {
    const before = children();
    const edge = await deviceOf({ server: { url: node.url } });
    await edge.update();
    const pid = children().findLast((each) => !before.includes(each))!;
    await measured(edge);
    process.kill(pid, 'SIGSTOP');
    try {
      const answer = await edge.infer(row(), { deadlineMs: 5000 });
      expect(answer).toMatchObject({
        where: 'remote',
        why: 'the device had no answer after 1000 ms',
      });
      expect(numbersOf(answer)).toEqual(expected[2]);
      // Its own run has not ended.
      const next = await edge.infer(row(), { deadlineMs: 5000 });
      expect(next).toMatchObject({
        where: 'remote',
        why: 'the device still computes an earlier input',
      });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    const own = await edge.infer(row(), { private: true });
    expect(own).toMatchObject({ where: 'local', why: 'the input is private' });
    expect(numbersOf(own)).toEqual(expected[0]);
    expect(edge.failed).toEqual([]);
    await edge.close();
  });

  it('that is too slow asks the node, then leaves a busy one alone; a private input stays', async () => {
    await using counted = await refusingServer();
    const before = children();
    const edge = await deviceOf({ server: { url: counted.url } });
    await edge.update();
    const pid = children().findLast((each) => !before.includes(each));
    await measured(edge, pid);
    expect(counted.requests).toBe(0);
    const deadlineMs = SLOW_MS / 2;
    const stays = await edge.infer(row(), { private: true, deadlineMs });
    expect(stays).toMatchObject({
      where: 'local',
      why: expect.stringContaining('the input is private'),
    });
    expect(counted.requests).toBe(0);
    process.kill(pid!, 'SIGSTOP');
    setTimeout(() => process.kill(pid!, 'SIGCONT'), SLOW_MS);
    const first = await edge.infer(row(), { deadlineMs });
    expect(first).toMatchObject({ where: 'local', why: expect.stringContaining('at its p99') });
    expect(counted.requests).toBe(1);
    const second = await edge.infer(row(), { deadlineMs });
    expect(second).toMatchObject({
      where: 'local',
      why: expect.stringMatching(/^the node is not to be asked for \d+ ms/),
    });
    expect(counted.requests).toBe(1);
    expect(numbersOf(second)).toEqual(expected[0]);
    await edge.close();
  });

  it('sends nothing where the bundle allows no offload', async () => {
    const other = await smallPublisher();
    await other.pack(MODELS[0]!, {
      runtimes: { native: nativeRuntime },
      offload: { allowed: false, deadlineMs: 1 },
    });
    await using counted = await refusingServer();
    const edge = await deviceOf({
      source: other.place,
      pinnedRoot: other.root,
      server: { url: counted.url },
    });
    await edge.update();
    for (let run = 0; run < 25; run++) await edge.infer(row(), { deadlineMs: 0.001 });
    expect(counted.requests).toBe(0);
    await edge.close();
  });

  it('whose new version dies answers with the one before, and does not install it again', async () => {
    const folder = testFolder();
    const first = await deviceOf({ folder });
    await first.update();
    await measured(first);
    await first.close();
    const edge = await deviceOf({ folder, source: places[1]! });
    const before = children();
    expect(await edge.update()).toMatchObject({ kind: 'updated', version: 2, from: 1 });
    expect(numbersOf(await edge.infer(row()))).toEqual(expected[1]);
    const pid = children().findLast((each) => !before.includes(each));
    process.kill(pid!, 'SIGKILL');
    const answer = await edge.infer(row());
    expect(answer).toMatchObject({ where: 'local', why: 'version 2 has failed', version: '1' });
    expect(numbersOf(answer)).toEqual(expected[0]);
    expect(edge.failed).toMatchObject([{ version: 2 }]);
    expect(await edge.update()).toMatchObject({ kind: 'refused', version: 2 });
    await edge.close();
  });

  it('gives an input that the model refuses back to its caller, and keeps the version', async () => {
    const edge = await deviceOf();
    await edge.update();
    const wrong = new Map([['x', tensor('float32', [1, 3], Float32Array.of(1, 2, 3))]]);
    await expect(edge.infer(wrong)).rejects.toMatchObject({ name: 'RuntimeFailure', kind: 'run' });
    expect(numbersOf(await edge.infer(row()))).toEqual(expected[0]);
    expect(edge.failed).toEqual([]);
    await edge.close();
  });
});

/** Processes that this one has started. */
function children(): number[] {
  return readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
}
