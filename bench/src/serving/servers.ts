/** The servers of the comparison, each in a process of its own, on the same models. */
import { join } from 'node:path';
import type { Client } from '@skein/api';
import { freePort } from '../harness/free-port.ts';
import { launchNode, type NodeProcess } from '../harness/node.ts';
import { launch, type ServerProcess } from '../harness/process.ts';
import { modelBytes, type BenchModel } from './models.ts';

const root = join(import.meta.dirname, '../../..');

/** A node by the launcher that a user starts. */
export function launchSkein(dataFolder: string, readyPath?: string): Promise<NodeProcess> {
  const program = [process.execPath, join(root, 'packages/cli/bin/skein.js')];
  return launchNode({ dataFolder, readyPath, program });
}

type Settings = NonNullable<Parameters<Client['deploy']>[0]['settings']>;

/** Uploads a model and serves it on one thread, as the peer does. */
export async function deploy(
  node: NodeProcess,
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
      // Huge pages for its heap, as the node has them for its code: it answers 5 % more requests.
      GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
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
    args: ['--use-largepages=silent', join(root, 'bench/peers/bare-node/server.ts')],
    env: { MODEL: model.path, PORT: String(port) },
    url: `http://127.0.0.1:${port}`,
    readyPath: '/ready',
  });
}
