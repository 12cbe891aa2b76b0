/** Nodes of a fleet that forward to each other, as processes that may be pinned to a core. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '@skein/api';
import { freePort } from '../harness/free-port.ts';
import { startRedis } from '../../../packages/jobs/src/store/testing/redis-server.ts';
import { launch, type ServerProcess } from '../harness/process.ts';

const root = join(import.meta.dirname, '../../..');

export interface FleetNode extends ServerProcess {
  readonly port: number;
  readonly client: Client;
}

export interface BenchFleet {
  readonly folder: string;
  /** @param core that the node is pinned to; absent: any. @param alone outside of the fleet. */
  start(options?: { readonly core?: number; readonly alone?: boolean }): Promise<FleetNode>;
  /** Ends what was started, and removes all files. */
  close(): Promise<void>;
}

export async function openFleet(): Promise<BenchFleet> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-bench-fleet-'));
  const redis = await startRedis();
  const kills: (() => Promise<void>)[] = [];
  let count = 0;
  return {
    folder,
    async start({ core, alone = false } = {}) {
      const [port, grpcPort] = [await freePort(), await freePort()];
      const url = `http://127.0.0.1:${port}`;
      const pinned = core === undefined ? [] : ['taskset', '-c', String(core)];
      const shared = ['--redis', redis.url, '--blobs', join(folder, 'blobs')];
      const command = [
        ...pinned,
        process.execPath,
        join(root, 'packages/cli/src/main.ts'),
        'up',
        '--port',
        String(port),
        '--grpc-port',
        String(grpcPort),
        '--data',
        join(folder, `node-${count++}`),
        '--log',
        'off',
        '--cores',
        '1',
        // A worker for jobs would keep a core busy while its sandboxes are tried.
        '--queues',
        'none',
        ...(alone ? [] : shared),
      ];
      const server = await launch({
        command: command[0]!,
        args: command.slice(1),
        env: { SKEIN_FLEET_KEY: 'the key of a fleet that is measured' },
        url,
        readyPath: '/v2/health/ready',
      });
      kills.push(server.kill);
      return { ...server, port, client: createClient({ url }) };
    },
    async close() {
      await Promise.all(kills.map((kill) => kill()));
      await redis.destroy();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves when the first node, which forwards, has read that all of them hold the model. */
export async function publish(
  [first]: readonly FleetNode[],
  model: string,
  nodes: number,
): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const { members } = await first!.client.getFleet();
    const holders = members.filter(({ loaded }) => loaded.some((each) => each.model === model));
    if (holders.length >= nodes) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${first!.url} has not heard that ${nodes} nodes hold ${model}.`);
}

/** Resolves when the node answers for the model. */
export async function serves(node: FleetNode, model: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    const response = await fetch(`${node.url}/v2/models/${model}/ready`);
    if (response.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${node.url} does not serve ${model}.`);
}
