/** A node in a process of its own, on free ports and without a log. */
import { join } from 'node:path';
import { createClient, type Client } from '@skein/api/client';
import { freePort } from './free-port.ts';
import { launch, type ServerProcess } from './process.ts';

/** The program that `npx skein` runs. */
export const SKEIN = join(import.meta.dirname, '../../../packages/cli/bin/skein.js');

export interface NodeProcess extends ServerProcess {
  readonly port: number;
  readonly grpcPort: number;
  readonly client: Client;
}

interface NodeOptions {
  readonly dataFolder: string;
  /** Answers 200 once the node is ready; default: its health check. */
  readonly readyPath?: string | undefined;
  /** Further options of `skein up`. */
  readonly options?: readonly string[];
  readonly env?: Record<string, string>;
  /** The program that starts `skein`. Default: its launcher, in this Node. */
  readonly program?: readonly string[];
  /** The core that it is pinned to; default: any. */
  readonly core?: number | undefined;
  /** The client's API key. */
  readonly key?: string;
}

export async function launchNode({
  dataFolder,
  readyPath = '/v2/health/ready',
  options = [],
  env = {},
  program = [process.execPath, SKEIN],
  core,
  key,
}: NodeOptions): Promise<NodeProcess> {
  const [port, grpcPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const listening = ['--port', String(port), '--grpc-port', String(grpcPort)];
  const pinned = core === undefined ? [] : ['taskset', '-c', String(core)];
  const [command = '', ...args] = [...pinned, ...program];
  const server = await launch({
    command,
    args: [...args, 'up', ...listening, '--data', dataFolder, '--log', 'off', ...options],
    env,
    url,
    readyPath,
  });
  return { ...server, port, grpcPort, client: createClient({ url, key }) };
}
