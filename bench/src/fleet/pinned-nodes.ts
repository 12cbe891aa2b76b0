/** Nodes of a fleet that forward to each other, as processes that may be pinned to a core. */
import { join } from 'node:path';
import { temporaryFolder } from '../harness/folder.ts';
import { startRedis } from '../../../packages/jobs/src/store/testing/redis-server.ts';
import { launchNode, type NodeProcess } from '../harness/node.ts';

export interface BenchFleet {
  readonly folder: string;
  /** @param core that the node is pinned to; absent: any. @param alone outside of the fleet. */
  start(options?: { readonly core?: number; readonly alone?: boolean }): Promise<NodeProcess>;
  /** Ends what was started, and removes all files. */
  close(): Promise<void>;
}

export async function openFleet(): Promise<BenchFleet> {
  const folder = await temporaryFolder();
  const redis = await startRedis();
  const kills: (() => Promise<void>)[] = [];
  let count = 0;
  return {
    folder: folder.path,
    async start({ core, alone = false } = {}) {
      const shared = ['--redis', redis.url, '--blobs', join(folder.path, 'blobs')];
      const node = await launchNode({
        dataFolder: join(folder.path, `node-${count++}`),
        // A worker for jobs would keep a core busy while its sandboxes are tried.
        options: ['--cores', '1', '--queues', 'none', ...(alone ? [] : shared)],
        env: { SKEIN_FLEET_KEY: 'the key of a fleet that is measured' },
        core,
      });
      kills.push(node.kill);
      return node;
    },
    async close() {
      await Promise.all(kills.map((kill) => kill()));
      await redis.destroy();
      await folder.remove();
    },
  };
}

/** Resolves when the first node, which forwards, has read that all of them hold the model. */
export async function publish(
  [first]: readonly NodeProcess[],
  model: string,
  nodes: number,
): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const { members } = await first!.client.getFleet();
    const holders = members.filter(({ loaded }) => loaded.some((each) => each.model === model));
    if (holders.length >= nodes) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${first!.url} has not learned that ${nodes} nodes hold ${model}.`);
}

/** Resolves when the node answers for the model. */
export async function serves(node: NodeProcess, model: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    const response = await fetch(`${node.url}/v2/models/${model}/ready`);
    if (response.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${node.url} does not serve ${model}.`);
}
