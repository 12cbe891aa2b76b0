/** A node of its own for a target: on a free port of loopback, with a small model, without workers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@skein/api';
import { GraphBuilder, writeModel } from '@skein/onnx';
import { startNode } from '@skein/server';

export interface LiveNode {
  readonly port: number;
  readonly grpcPort: number;
  close(): Promise<void>;
}

export async function startLiveNode(): Promise<LiveNode> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'skein-fuzz-node-'));
  const node = await startNode({
    dataFolder,
    maxBodyBytes: 1 << 20,
    cores: 1,
    // No job of an input is executed.
    queues: [],
  });
  const client = createClient({ url: node.url });
  await client.importModel({ name: 'echo', content: echo() });
  await client.deploy({ name: 'echo', version: '1' });
  const portOf = (address: string) => Number(address.slice(address.lastIndexOf(':') + 1));
  return {
    port: portOf(node.url),
    grpcPort: portOf(node.grpcUrl),
    async close() {
      await node.drain();
      rmSync(dataFolder, { recursive: true, force: true });
    },
  };
}

/** y = x: [batch, 2]. */
function echo(): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder('echo');
  const x = graph.input('x', 'float32', ['batch', 2]);
  const [y] = graph.node('Identity', [x], {}, { outputs: ['y'] });
  graph.output(y, 'float32', ['batch', 2]);
  return Uint8Array.from(writeModel(graph.model()));
}
