/** A node in the process of a test: on free ports of loopback, with a folder of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '@skein/api/client';
import { startNode } from '../node.ts';
import type { NodeOptions } from '../components/options.ts';

export interface TestNode {
  readonly url: string;
  /** `host:port`. */
  readonly grpcUrl: string;
  readonly client: Client;
  /** Parent of the data folder `.skein`; removed with the node. */
  readonly folder: string;
  close(): Promise<void>;
}

/** Runs no jobs unless it is given queues: it would first try the sandboxes of this machine. */
export async function startTestNode(options: Partial<NodeOptions> = {}): Promise<TestNode> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-test-node-'));
  const node = await startNode({
    dataFolder: join(folder, '.skein'),
    queues: [],
    ...options,
  });
  return {
    url: node.url,
    grpcUrl: node.grpcUrl,
    client: createClient({ url: node.url }),
    folder,
    async close() {
      await node.drain();
      await rm(folder, { recursive: true });
    },
  };
}
