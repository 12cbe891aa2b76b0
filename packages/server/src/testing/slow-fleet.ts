/** Nodes of a fleet, each a process over one Redis, that forward requests for a slow model to each other. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { startRedis } from '../../../jobs/src/store/testing/redis-server.ts';
import { startLoad } from './load.ts';
import { type NodeProcess, startNodeProcess } from './node-process.ts';
import { slowModel } from './slow-model.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';

export const KEY = '0123456789abcdef0123456789abcdef';
/** Outcomes of a request here. Any other one is a lost request. */
export const CODED = new Set([
  'answered',
  'DEADLINE_UNREACHABLE',
  'DEADLINE_EXCEEDED',
  'QUEUE_FULL',
  'NO_REPLICA',
]);
/** A busy machine takes its time. */
export const PATIENT = { timeout: 60_000 };

export interface SlowFleet {
  start(options?: {
    readonly key?: string;
    /** API key of the administrator; absent: the node asks for none. */
    readonly admin?: string;
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  }): Promise<NodeProcess>;
  /** Ends its nodes. */
  close(): Promise<void>;
}

export async function openSlowFleet(): Promise<SlowFleet> {
  const folder = testFolder();
  const redis = await startRedis();
  const nodes: NodeProcess[] = [];
  return {
    async start({ key = KEY, admin, args = [], env = {} } = {}) {
      const file = join(folder, `key-${key.length}-${key.slice(0, 4)}`);
      writeFileSync(file, `${key}\n`);
      const shared = ['--redis', redis.url, '--blobs', join(folder, 'blobs'), '--queues', 'none'];
      const own = ['--cores', '1', '--fleet-key', file, ...args];
      const asking = admin === undefined ? [] : ['--keys', 'required'];
      const node = await startNodeProcess({
        args: [...shared, ...own, ...asking],
        env: admin === undefined ? env : { ...env, SKEIN_ADMIN_KEY: admin },
        ...(admin === undefined ? {} : { key: admin }),
      });
      nodes.push(node);
      return node;
    },
    async close() {
      await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
      await redis.destroy();
    },
  };
}

/** Requests at once that a node takes; tests send more, so that it refuses some on a machine of any speed. */
const TAKEN_AT_ONCE = 6;
const TRIED = 10;

/** Deploys it with an objective of as many runs as a node is to take at once on this machine. */
export async function deploySlow(node: NodeProcess): Promise<void> {
  await node.deploy('slow', slowModel(6), {
    objective: { latencyMs: 10_000 },
    replicas: { min: 1, max: 1 },
    batching: { maxRows: 1 },
  });
  let fastest = Infinity;
  for (let i = 0; i < TRIED; i++) {
    const begun = performance.now();
    expect(await askSlow(node)).toBe('answered');
    fastest = Math.min(fastest, performance.now() - begun);
  }
  const objective = { latencyMs: Math.ceil(TAKEN_AT_ONCE * fastest) };
  await node.client.changeSettings({ name: 'slow', settings: { objective } });
}

const BODY = JSON.stringify({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 8], data: [1, 2, 3, 4, 5, 6, 7, 8] }],
});

const withKey = (key: string | undefined): Record<string, string> =>
  key === undefined ? {} : { authorization: `Bearer ${key}` };

export async function askSlow({ url }: NodeProcess, key?: string): Promise<string> {
  const headers = withKey(key);
  const response = await fetch(`${url}/v2/models/slow/infer`, {
    method: 'POST',
    headers,
    body: BODY,
  });
  const answer = (await response.json()) as { code?: string };
  const outcome = answer.code ?? (response.ok ? 'answered' : `HTTP ${response.status}`);
  // A caller that is refused waits: the cores are for the runs.
  if (outcome !== 'answered') await sleep(20);
  return outcome;
}

/** The samples of a metric of a node, by labels. */
export async function metricOf(
  { url }: NodeProcess,
  name: string,
  key?: string,
): Promise<Record<string, number>> {
  const page = await (await fetch(`${url}/metrics`, { headers: withKey(key) })).text();
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
export async function together(first: NodeProcess, second: NodeProcess): Promise<void> {
  await expect.poll(() => askSlow(second), PATIENT).toBe('answered');
  const load = startLoad(8, () => askSlow(first));
  await expect
    .poll(async () => (await metricOf(second, 'skein_fleet_received_total'))['requests'], PATIENT)
    .toBeGreaterThan(0);
  await load.stop();
}
