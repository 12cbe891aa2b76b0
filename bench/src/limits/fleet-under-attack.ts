/** A node under attack that is a member of a fleet of three: it holds no model, and the others answer its requests. */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mlp, writeModel } from '@skein/onnx';
import { startRedis } from '../../../packages/jobs/src/store/testing/redis-server.ts';
import type { CanaryRequest } from './canary.ts';
import { newKey, startNodeUnderAttack, type NodeUnderAttack } from './node-under-attack.ts';

const MODEL = 'risk';
const BODY = JSON.stringify({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
});
/** Deadline of a request, in milliseconds. */
const DEADLINE_MS = 2000;
const POLL_MS = 100;

/** Starts a Redis for the members of a fleet, which have one key. @param folder an empty folder for their data. */
async function startSharedPlaces(folder: string) {
  const redis = await startRedis();
  const [key, fleetKey, file] = [newKey(), randomBytes(32).toString('hex'), join(folder, 'key')];
  await writeFile(file, fleetKey);
  const places = ['--redis', redis.url, '--blobs', join(folder, 'blobs'), '--fleet-key', file];
  return {
    redis,
    key,
    fleet: { redis: redis.url, key: fleetKey, deployment: MODEL },
    start: async (name: string, ...own: readonly string[]): Promise<NodeUnderAttack> => {
      await mkdir(join(folder, name));
      return startNodeUnderAttack(join(folder, name), { key, args: [...places, ...own] });
    },
  };
}

/** A fleet of one node. */
export async function startLoneMember(folder: string): Promise<NodeUnderAttack> {
  const { redis, fleet, start } = await startSharedPlaces(folder);
  const node = await start('member');
  return {
    ...node,
    target: { ...node.target, fleet },
    async stop() {
      await node.stop();
      await redis.destroy();
    },
  };
}

/** @param folder an empty folder for the data of all members. */
export async function startFleetUnderAttack(folder: string): Promise<NodeUnderAttack> {
  const { redis, key, fleet, start } = await startSharedPlaces(folder);
  const node = await start('attacked', '--model-memory', '1MiB');
  const others = [await start('second'), await start('third')];

  const forwarded: CanaryRequest = {
    url: `http://${node.target.host}:${node.target.httpPort}/v2/models/${MODEL}/infer`,
    init: {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'skein-timeout-ms': String(DEADLINE_MS),
        // An idle connection may be closed to free a place while the next request is on its way.
        connection: 'close',
      },
      body: BODY,
    },
  };

  const content = writeModel(
    mlp({ sizes: [4, 1024, 1024, 3], seed: 1 }),
  ) as Uint8Array<ArrayBuffer>;
  const { version } = await node.client.importModel({ name: MODEL, content });
  const settings = { objective: { latencyMs: 10_000 }, replicas: { min: 1, max: 1 } };
  await node.client.deploy({ name: MODEL, version, settings });
  for (let holders = 0; holders < others.length;) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const { members } = await node.client.getFleet();
    holders = members.filter(({ loaded }) => loaded.length > 0).length;
  }
  await fetch(forwarded.url, forwarded.init);
  return {
    ...node,
    target: { ...node.target, fleet },
    forwarded,
    async stop() {
      await Promise.all([node, ...others].map((member) => member.stop()));
      await redis.destroy();
    },
  };
}
