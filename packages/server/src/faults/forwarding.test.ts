/** Nodes of a fleet, each a process over a real Redis, that answer for each other. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startRedis, type TestRedis } from '../../../jobs/src/store/testing/redis-server.ts';
import { startLoad } from '../testing/load.ts';
import { type NodeProcess, startNodeProcess } from '../testing/node-process.ts';
import { slowModel } from '../testing/slow-model.ts';

const ROUNDS = process.env['SKEIN_FULL'] === '1' ? 200 : 2;
const KEY = '0123456789abcdef0123456789abcdef';
/** What a request may end with here. Anything else is a lost request. */
const CODED = new Set([
  'answered',
  'DEADLINE_UNREACHABLE',
  'DEADLINE_EXCEEDED',
  'QUEUE_FULL',
  'NO_REPLICA',
]);

/** A busy machine takes its time. */
const PATIENT = { timeout: 60_000 };

let folder: string;
let redis: TestRedis;
let nodes: NodeProcess[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skein-forwarding-'));
  redis = await startRedis();
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
  nodes = [];
  await redis.destroy();
  rmSync(folder, { recursive: true, force: true });
});

async function start(key = KEY): Promise<NodeProcess> {
  const file = join(folder, `key-${key.length}-${key.slice(0, 4)}`);
  writeFileSync(file, `${key}\n`);
  const shared = ['--redis', redis.url, '--blobs', join(folder, 'blobs'), '--queues', 'none'];
  const node = await startNodeProcess({ args: [...shared, '--cores', '1', '--fleet-key', file] });
  nodes.push(node);
  return node;
}

const deploy = (node: NodeProcess) =>
  node.deploy('slow', slowModel(3), {
    objective: { latencyMs: 250 },
    replicas: { min: 1, max: 1 },
    batching: { maxRows: 1 },
  });

const BODY = JSON.stringify({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 8], data: [1, 2, 3, 4, 5, 6, 7, 8] }],
});
async function ask({ url }: NodeProcess): Promise<string> {
  const response = await fetch(`${url}/v2/models/slow/infer`, { method: 'POST', body: BODY });
  const answer = (await response.json()) as { code?: string };
  const outcome = answer.code ?? (response.ok ? 'answered' : `HTTP ${response.status}`);
  // A caller that is refused waits: the cores are for the runs.
  if (outcome !== 'answered') await sleep(20);
  return outcome;
}

/** The samples of a metric of a node, by labels. */
async function metric({ url }: NodeProcess, name: string): Promise<Record<string, number>> {
  const page = await (await fetch(`${url}/metrics`)).text();
  const lines = page
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return Object.fromEntries(
    lines.map((line) => {
      const [labels, value] = line.slice(name.length).split(' ') as [string, string];
      return [/"(.*)"/.exec(labels)?.[1] ?? '', Number(value)];
    }),
  );
}

/** Until the first node sees the second one hold the model. */
async function together(first: NodeProcess, second: NodeProcess): Promise<void> {
  await expect.poll(() => ask(second), PATIENT).toBe('answered');
  const load = startLoad(8, () => ask(first));
  await expect
    .poll(async () => (await metric(second, 'skein_fleet_received_total'))['requests'], PATIENT)
    .toBeGreaterThan(0);
  await load.stop();
}

/** A round starts a node, loads it, and kills it. */
const ROUND_MS = 20_000;

describe('two nodes', { timeout: 180_000 + ROUNDS * ROUND_MS }, () => {
  test('answer together what one of them refuses', async () => {
    const [a, b] = [await start(), await start()];
    await deploy(a);
    await together(a, b);
    const sentBack = await metric(b, 'skein_fleet_forwards_total');
    const load = startLoad(12, () => ask(a));
    await expect.poll(() => load.of('answered'), PATIENT).toBeGreaterThan(20);
    await load.stop();
    for (const outcome of load.outcomes.keys()) expect(CODED).toContain(outcome);
    const forwards = await metric(a, 'skein_fleet_forwards_total');
    const received = await metric(b, 'skein_fleet_received_total');
    expect(forwards['answered']).toBeGreaterThan(0);
    expect(received['requests']).toBeGreaterThanOrEqual(forwards['answered']!);
    // One hop: what b refuses, it does not send back.
    expect(await metric(b, 'skein_fleet_forwards_total')).toEqual(sentBack);
  });

  test('lose no request when one is killed, round after round', async () => {
    const a = await start();
    await deploy(a);
    for (let round = 0; round < ROUNDS; round++) {
      const b = await start();
      await together(a, b);
      const load = startLoad(10, () => ask(a));
      const before = load.total();
      await expect.poll(() => load.total() - before, PATIENT).toBeGreaterThan(10);
      await b.kill();
      const killed = load.total();
      await expect.poll(() => load.total() - killed, PATIENT).toBeGreaterThan(20);
      await load.stop();
      for (const outcome of load.outcomes.keys()) expect(CODED).toContain(outcome);
      expect(load.of('answered')).toBeGreaterThan(0);
    }
  });

  test('of which one leaves: what it has taken is answered', async () => {
    const [a, b] = [await start(), await start()];
    await deploy(a);
    await together(a, b);
    const load = startLoad(10, () => ask(a));
    await expect.poll(() => load.total(), PATIENT).toBeGreaterThan(10);
    expect((await b.stop()).code).toBe(0);
    await load.stop();
    for (const outcome of load.outcomes.keys()) expect(CODED).toContain(outcome);
    expect((await metric(a, 'skein_fleet_forwards_total'))['lost']).toBe(0);
  });

  test('with different keys stay apart', async () => {
    const [a, b] = [await start(), await start('another key, of the same length.')];
    await deploy(a);
    await expect.poll(() => ask(b), PATIENT).toBe('answered');
    const load = startLoad(10, () => ask(a));
    await expect
      .poll(async () => (await metric(a, 'skein_fleet_members_left_out'))[''], PATIENT)
      .toBe(1);
    await load.stop();
    for (const outcome of load.outcomes.keys()) expect(CODED).toContain(outcome);
    expect((await metric(b, 'skein_fleet_received_total'))['requests']).toBe(0);
    expect(a.log() + b.log()).not.toContain(KEY);
  });
});

test('a key that can be guessed is refused', async () => {
  await expect(start('short')).rejects.toMatchObject({ code: 'FLEET_KEY_INVALID' });
});
