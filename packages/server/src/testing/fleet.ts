/** A fleet in the process of a test: nodes over one Redis and one folder of artifacts, with keys. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { DeploymentSettingsPatch } from '@skein/api';
import { createClient, type Client } from '@skein/api/client';
import { mlp, writeModel } from '@skein/onnx';
import { startRedis, type TestRedis } from '../../../jobs/src/store/testing/redis-server.ts';
import { type RunningNode, startNode } from '../node.ts';
import type { NodeOptions } from '../components/options.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';

export interface FleetNode {
  readonly url: string;
  /** With the administrator's key. */
  readonly client: Client;
  stop(): Promise<void>;
  /** On the same data folder. */
  start(): Promise<void>;
}

export interface TestFleet {
  readonly redis: TestRedis;
  readonly nodes: readonly FleetNode[];
  /** The administrator's key. */
  readonly key: string;
  close(): Promise<void>;
}

/** A new key in the form of the platform's. */
function adminKey(): string {
  return `skein_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
}

export async function startFleet(
  count: number,
  given: Partial<NodeOptions> | ((redis: string) => Partial<NodeOptions>) = {},
): Promise<TestFleet> {
  const folder = testFolder();
  const redis = await startRedis();
  const options = typeof given === 'function' ? given(redis.url) : given;
  const key = adminKey();
  const nodes: FleetNode[] = [];
  for (let index = 0; index < count; index++) {
    nodes.push(await startOne(join(folder, `node-${index}`)));
  }

  async function startOne(dataFolder: string): Promise<FleetNode> {
    let running: RunningNode;
    const start = async (): Promise<void> => {
      running = await startNode({
        dataFolder,
        access: 'required',
        givenKeys: [{ token: key, scope: 'admin' }],
        redis: redis.url,
        blobs: join(folder, 'blobs'),
        queues: [],
        ...options,
      });
    };
    await start();
    return {
      get url() {
        return running.url;
      },
      get client() {
        return createClient({ url: running.url, key });
      },
      stop: () => running.drain(),
      start,
    };
  }

  return {
    redis,
    nodes,
    key,
    async close() {
      await Promise.all(nodes.map((node) => node.stop()));
      await redis.destroy();
    },
  };
}

/** One copy in a process of its own; a member counts 64 MiB for it in addition to the weights. */
export const IN_PROCESS = {
  objective: { latencyMs: 30_000 },
  replicas: { min: 1, max: 1 },
  isolation: 'process',
} as const;

/** Its answer distinguishes versions: they have other weights. @returns the version. */
export async function deployVersion(
  { client }: Pick<FleetNode, 'client'>,
  name: string,
  seed: number,
  settings: DeploymentSettingsPatch = { objective: { latencyMs: 10_000 } },
  sizes: Parameters<typeof mlp>[0]['sizes'] = [4, 3],
): Promise<string> {
  const content = writeModel(mlp({ sizes, seed })) as Uint8Array<ArrayBuffer>;
  const { version } = await client.importModel({ name, content });
  await client.deploy({ name, version, settings: { oversubscribe: true, ...settings } });
  return version;
}

/** The version that answers, or the code of the refusal. @param headers such as a deadline. */
export async function answerOf(
  { url }: Pick<FleetNode, 'url'>,
  name: string,
  key?: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const response = await fetch(`${url}/v2/models/${name}/infer`, {
    method: 'POST',
    headers: { ...headers, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
    }),
  });
  const answer = (await response.json()) as { code?: string; model_version?: string };
  return answer.code ?? answer.model_version ?? `status ${response.status}`;
}
