/** Gateways as processes, over one upstream that answers at once: a node, and Portkey's. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../harness/folder.ts';
import { freePort } from '../harness/free-port.ts';
import { launchNode, type NodeProcess } from '../harness/node.ts';
import { launch } from '../harness/process.ts';

const BENCH = join(import.meta.dirname, '../..');
const JSON_HEADERS = { 'content-type': 'application/json' };

/** Where and how an answer is requested. */
export interface Door {
  /** The URL for chat completions. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Upstream extends Door {
  readonly baseUrl: string;
  /** So far. */
  requests(): Promise<number>;
  stop(): Promise<void>;
}

export interface Gateway extends Door {
  readonly pid: number;
  stop(): Promise<void>;
}

export async function startUpstream(): Promise<Upstream> {
  const port = await freePort();
  const server = await launch({
    command: process.execPath,
    args: [join(BENCH, 'peers/upstream/server.ts')],
    env: { PORT: String(port) },
    url: `http://127.0.0.1:${port}`,
    readyPath: '/',
  });
  const baseUrl = `${server.url}/v1`;
  return {
    baseUrl,
    url: `${baseUrl}/chat/completions`,
    headers: JSON_HEADERS,
    requests: async () => Number(await (await fetch(server.url)).text()),
    stop: server.stop,
  };
}

/** The models `quick` and `idle`, over the upstream. */
export async function startNode(upstream: Upstream): Promise<Gateway> {
  const folder = await temporaryFolder();
  let node: NodeProcess | undefined;
  const stop = async (): Promise<void> => {
    await node?.stop();
    await folder.remove();
  };
  try {
    node = await launchNode({
      dataFolder: folder.path,
      options: ['--max-connections', '4096', '--queues', 'none'],
    });
    const { client } = node;
    await client.putProvider({
      name: 'upstream',
      kind: 'openai',
      baseUrl: upstream.baseUrl,
      maxConcurrent: 4096,
    });
    for (const name of ['quick', 'idle']) {
      await client.putLanguageModel({
        name,
        routes: [{ provider: 'upstream', model: name }],
        // The row measures the work of a request, and no request is refused on a slow machine.
        ttftMs: 10_000,
        gapMs: 600_000,
        hedge: false,
      });
    }
    const url = `${node.url}/v1/chat/completions`;
    return { url, headers: JSON_HEADERS, pid: node.pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

export async function startPortkey(upstream: Upstream): Promise<Gateway> {
  const port = await freePort();
  const entry = fileURLToPath(import.meta.resolve('@portkey-ai/gateway/build/start-server.js'));
  const server = await launch({
    command: process.execPath,
    args: [entry, `--port=${port}`, '--headless'],
    env: { NODE_ENV: 'production' },
    url: `http://127.0.0.1:${port}`,
    readyPath: '/',
  });
  return {
    url: `${server.url}/v1/chat/completions`,
    headers: {
      ...JSON_HEADERS,
      authorization: 'Bearer none',
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': upstream.baseUrl,
    },
    pid: server.pid,
    stop: server.stop,
  };
}

/** The body of a request. */
export function bodyFor(model: 'quick' | 'idle', stream: boolean): Buffer {
  const messages = [{ role: 'user', content: 'Write something.' }];
  return Buffer.from(JSON.stringify({ model, messages, ...(stream ? { stream } : {}) }));
}
