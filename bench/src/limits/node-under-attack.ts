/** A node that asks for keys, with what watches it. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient, type Client } from '@skein/api';
import { freePort } from '../harness/free-port.ts';
import { memoryOf } from '../harness/memory.ts';
import { launch } from '../harness/process.ts';
import type { Target } from './attack.ts';
import type { LoopReading } from './loop-probe.ts';

const root = join(import.meta.dirname, '../../..');
const cli = join(root, 'packages/cli/src/main.ts');
const run = promisify(execFile);

export interface NodeUnderAttack {
  readonly target: Target;
  readonly key: string;
  readonly client: Client;
  /** Whether its process still runs. */
  alive(): Promise<boolean>;
  /** Memory of the process and of those that it started, in bytes. */
  memory(): Promise<number>;
  /** How long its main thread was blocked since the last reading. */
  reading(): Promise<LoopReading>;
  stop(): Promise<void>;
}

/** @param folder an empty folder for its data. */
export async function startNodeUnderAttack(folder: string): Promise<NodeUnderAttack> {
  const data = join(folder, 'data');
  const created = await run(process.execPath, [
    cli,
    'keys',
    'create',
    '--scope',
    'infer',
    '--scope',
    'admin',
    '--data',
    data,
    '--json',
  ]);
  const { secret } = JSON.parse(created.stdout) as { secret: string };
  const [httpPort, grpcPort] = [await freePort(), await freePort()];
  const portFile = join(folder, 'probe-port');
  const url = `http://127.0.0.1:${httpPort}`;
  const node = await launch({
    command: process.execPath,
    args: [
      '--import',
      join(import.meta.dirname, 'loop-probe.ts'),
      cli,
      'up',
      '--keys',
      'required',
      '--port',
      String(httpPort),
      '--grpc-port',
      String(grpcPort),
      '--data',
      data,
      '--log',
      'off',
      // What sandboxes cost while they are tried out is no caller's.
      '--queues',
      'none',
    ],
    env: { SKEIN_BENCH_LOOP_PROBE: portFile },
    url,
    readyPath: '/v2/health/ready',
  });
  const client = createClient({ url, key: secret });
  // It coordinates federations from now on: sites that join have no key of the node.
  await client.listFederations();
  const probe = `http://127.0.0.1:${await readFile(portFile, 'utf8')}`;
  return {
    target: { host: '127.0.0.1', httpPort, grpcPort },
    key: secret,
    client,
    alive: async () => (await memoryOf(node.pid)) > 0,
    memory: () => memoryOf(node.pid),
    reading: async () => (await (await fetch(probe)).json()) as LoopReading,
    stop: () => node.stop(),
  };
}
