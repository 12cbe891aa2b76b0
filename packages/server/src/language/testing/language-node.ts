/** A node with one language model, `assistant`, over an upstream of the test. */
import { createClient, type Client } from '@skein/api/client';
import type { NodeOptions } from '../../components/options.ts';
import { startTestNode, type TestNode } from '../../testing/test-node.ts';
import { startUpstream, type Upstream } from './upstream.ts';

export interface LanguageNode {
  readonly node: TestNode;
  readonly upstream: Upstream;
  /** A client with the operator's key. */
  readonly client: Client;
  close(): Promise<void>;
}

/** @param admin token of the operator, where the node requires keys. */
export async function startLanguageNode(
  admin?: string,
  options: Partial<NodeOptions> = {},
): Promise<LanguageNode> {
  const keys: Partial<NodeOptions> =
    admin === undefined
      ? {}
      : { access: 'required', givenKeys: [{ token: admin, scope: 'admin' }] };
  const [upstream, node] = await Promise.all([
    startUpstream(),
    startTestNode({ ...keys, ...options }),
  ]);
  const client = admin === undefined ? node.client : createClient({ url: node.url, key: admin });
  await client.putProvider({ name: 'up', kind: 'openai', baseUrl: upstream.url });
  await client.putLanguageModel({
    name: 'assistant',
    routes: [{ provider: 'up', model: 'big', price: { input: 1, output: 10 } }],
    // A busy machine is not what these tests are about.
    ttftMs: 20_000,
  });
  return {
    node,
    upstream,
    client,
    async close() {
      await node.close();
      upstream.close();
    },
  };
}
