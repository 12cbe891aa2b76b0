/** The servers of the comparison, each in a process of its own, on the same models. */
import { join } from 'node:path';
import { createClient, type Client } from '@skein/api';
import { freePort } from '../harness/free-port.ts';
import { launch, type ServerProcess } from '../harness/process.ts';
import { modelBytes, type BenchModel } from './models.ts';

const root = join(import.meta.dirname, '../../..');

export interface SkeinNode extends ServerProcess {
  readonly port: number;
  readonly grpcPort: number;
  readonly client: Client;
}

/** Starts a node on a data folder; ready when it answers its health check. */
export async function launchSkein(
  dataFolder: string,
  readyPath = '/v2/health/ready',
): Promise<SkeinNode> {
  const [port, grpcPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const server = await launch({
    command: process.execPath,
    args: [
      join(root, 'packages/cli/bin/skein.js'),
      'up',
      '--port',
      String(port),
      '--grpc-port',
      String(grpcPort),
      '--data',
      dataFolder,
      '--log',
      'off',
    ],
    url,
    readyPath,
  });
  return { ...server, port, grpcPort, client: createClient({ url }) };
}

type Settings = NonNullable<Parameters<Client['deploy']>[0]['settings']>;

/** Uploads a model and serves it on one thread, as the peer does. */
export async function deploy(
  node: SkeinNode,
  model: BenchModel,
  settings: Settings,
): Promise<void> {
  const { version } = await node.client.importModel({
    name: model.name,
    content: modelBytes(model),
  });
  await node.client.deploy({
    name: model.name,
    version,
    settings: { threads: 1, replicas: { min: 1, max: 1 }, ...settings },
  });
}

/** FastAPI under uvicorn with uvloop and httptools, one session on one thread. */
export async function launchPeer(model: BenchModel, pooled: boolean): Promise<ServerProcess> {
  const port = await freePort();
  return launch({
    command: '/usr/bin/python3',
    args: [
      '-m',
      'uvicorn',
      'app:app',
      '--port',
      String(port),
      '--log-level',
      'critical',
      '--no-access-log',
      '--loop',
      'uvloop',
      '--http',
      'httptools',
    ],
    cwd: join(root, 'bench/peers/fastapi'),
    env: {
      MODEL: model.path,
      THREADS: '1',
      POOL: pooled ? '1' : '0',
      PYTHONDONTWRITEBYTECODE: '1',
    },
    url: `http://127.0.0.1:${port}`,
    readyPath: '/ready',
  });
}

/** A Node server of sixty lines with one session on one thread. */
export async function launchBareNode(model: BenchModel): Promise<ServerProcess> {
  const port = await freePort();
  return launch({
    command: process.execPath,
    args: [join(root, 'bench/peers/bare-node/server.ts')],
    env: { MODEL: model.path, PORT: String(port) },
    url: `http://127.0.0.1:${port}`,
    readyPath: '/ready',
  });
}
