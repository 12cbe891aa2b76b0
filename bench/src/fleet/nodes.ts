/** Nodes of a fleet as processes, over a Redis of their own and one folder of artifacts. */
import type { RowGroup, RowOptions } from '../harness/row-group.ts';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Client } from '@skein/api/client';
import { mlp, writeModel } from '@skein/onnx';
import {
  startRedis,
  type TestRedis,
} from '../../../packages/jobs/src/store/testing/redis-server.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { launchNode, type NodeProcess } from '../harness/node.ts';

export interface SharedRows extends Pick<RowGroup, 'measures'> {
  measure(fleet: FleetNodes, options: RowOptions): ReturnType<RowGroup['measure']>;
}

/** Processes that start at a time: more would only wait for each other's cores. */
const TOGETHER = 4;

export interface FleetNodes {
  readonly redis: TestRedis;
  readonly urls: readonly string[];
  /** The administrator's key. */
  readonly key: string;
  /** A client of the first node. */
  readonly client: Client;
  readonly close: () => Promise<void>;
}

export async function startNodes(count: number): Promise<FleetNodes> {
  const folder = await temporaryFolder();
  const redis = await startRedis();
  const key = `skein_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
  const nodes: NodeProcess[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.kill()));
    await redis.destroy();
    await folder.remove();
  };
  const blobs = ['--blobs', join(folder.path, 'blobs')];
  const start = (index: number): Promise<NodeProcess> =>
    launchNode({
      dataFolder: join(folder.path, `node-${index}`),
      options: [...blobs, '--keys', 'required', '--queues', 'none', '--cores', '2'],
      env: { SKEIN_ADMIN_KEY: key, SKEIN_REDIS: redis.url },
      readyPath: '/v2/health/accepting',
      key,
    });
  try {
    // The first one makes the state, with the key of the administrator.
    for (let index = 0; index < count; index += index === 0 ? 1 : TOGETHER) {
      const most = index === 0 ? 1 : Math.min(TOGETHER, count - index);
      const indexes = Array.from({ length: most }, (_, at) => index + at);
      const started = await Promise.allSettled(indexes.map(start));
      for (const each of started) if (each.status === 'fulfilled') nodes.push(each.value);
      for (const each of started) if (each.status === 'rejected') throw each.reason;
    }
  } catch (error) {
    await close();
    throw error;
  }
  const urls = nodes.map(({ url }) => url);
  return { redis, urls, key, client: nodes[0]!.client, close };
}

/** A small model; each seed is another one. */
export async function importSmall(client: Client, name: string, seed: number): Promise<string> {
  const content = writeModel(mlp({ sizes: [4, 3], seed })) as Uint8Array<ArrayBuffer>;
  return (await client.importModel({ name, content })).version;
}

export const SETTINGS = { objective: { latencyMs: 10_000 }, oversubscribe: true };

const BODY = JSON.stringify({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
});

/** The HTTP status of one inference; 0: there was no answer. */
export async function infer(url: string, name: string, key: string): Promise<number> {
  try {
    const response = await fetch(`${url}/v2/models/${name}/infer`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: BODY,
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

/** Asks again until the answer is as wanted. @returns milliseconds since `begun`. */
export async function since(
  begun: number,
  ask: () => Promise<boolean>,
  everyMs = 5,
): Promise<number> {
  while (!(await ask())) await new Promise((resolve) => setTimeout(resolve, everyMs));
  return performance.now() - begun;
}
