/** A node with one language model, `assistant`, over an upstream of the test. */
import type { NodeOptions } from '../../rooms/options.ts';
import { startTestNode, type TestNode } from '../../testing/test-node.ts';
import { startUpstream, type Upstream } from './upstream.ts';

export interface LanguageNode {
  readonly node: TestNode;
  readonly upstream: Upstream;
  close(): Promise<void>;
}

export async function startLanguageNode(options: Partial<NodeOptions> = {}): Promise<LanguageNode> {
  const [upstream, node] = await Promise.all([startUpstream(), startTestNode(options)]);
  await node.client.putProvider({ name: 'up', kind: 'openai', baseUrl: upstream.url });
  await node.client.putLanguageModel({
    name: 'assistant',
    routes: [{ provider: 'up', model: 'big', price: { input: 1, output: 10 } }],
    // A busy machine is not what these tests are about.
    ttftMs: 20_000,
  });
  return {
    node,
    upstream,
    async close() {
      await node.close();
      upstream.close();
    },
  };
}
