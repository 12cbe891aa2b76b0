/** A node that asks for keys, with what watches it. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient, type Client } from '@skein/api';
import { freePort } from '../harness/free-port.ts';
import { forgetPeakMemoryOf, memoryOf, peakMemoryOf } from '../harness/memory.ts';
import { type Launch, launch } from '../harness/process.ts';
import type { Target } from './attack.ts';
import type { CanaryRequest } from './canary.ts';
import type { LoopReading } from './loop-probe.ts';

const root = join(import.meta.dirname, '../../..');
const cli = join(root, 'packages/cli/src/main.ts');

/** A process of Node with what watches its main thread. */
export interface Probed {
  /** How long its main thread was blocked since the last reading. */
  reading(): Promise<LoopReading>;
  stop(): Promise<void>;
}

export interface NodeUnderAttack extends Probed {
  readonly target: Target;
  readonly key: string;
  readonly client: Client;
  /** Whether its process still runs. */
  alive(): Promise<boolean>;
  /** Memory of the process and of those that it started, in bytes. */
  memory(): Promise<number>;
  /**
   * The most that they have had since the last call, in bytes, as the kernel counts it: an attack keeps its own
   * process too busy to look at every moment.
   */
  peakMemory(): Promise<number>;
  /** In a fleet: a request that another member answers. */
  readonly forwarded?: CanaryRequest;
}

export interface NodeOptions {
  /** Key of the administrator; default: a new one. */
  readonly key?: string;
  /** Further arguments of `skein up`. */
  readonly args?: readonly string[];
}

export function newKey(): string {
  return `skein_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`;
}

/** Starts a program of Node with the probe in it. @param folder for what the probe writes. */
export async function launchProbed(
  folder: string,
  { args, env, ...program }: Omit<Launch, 'command'>,
): Promise<Probed & { readonly pid: number }> {
  const portFile = join(folder, 'probe-port');
  const { pid, stop } = await launch({
    ...program,
    command: process.execPath,
    args: ['--import', join(import.meta.dirname, 'loop-probe.ts'), ...args],
    env: { ...env, SKEIN_BENCH_LOOP_PROBE: portFile },
  });
  const probe = `http://127.0.0.1:${await readFile(portFile, 'utf8')}`;
  return {
    pid,
    stop,
    reading: async () => (await (await fetch(probe)).json()) as LoopReading,
  };
}

/** @param folder an empty folder for its data. */
export async function startNodeUnderAttack(
  folder: string,
  { key = newKey(), args = [] }: NodeOptions = {},
): Promise<NodeUnderAttack> {
  const [httpPort, grpcPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${httpPort}`;
  const node = await launchProbed(folder, {
    args: [
      cli,
      'up',
      '--keys',
      'required',
      '--port',
      String(httpPort),
      '--grpc-port',
      String(grpcPort),
      '--data',
      join(folder, 'data'),
      '--log',
      'off',
      // The trial runs of sandboxes are not a caller's cost.
      '--queues',
      'none',
      ...args,
    ],
    env: { SKEIN_ADMIN_KEY: key },
    url,
    readyPath: '/v2/health/ready',
  });
  const client = createClient({ url, key });
  // It coordinates federations from now on: sites that join have no key of the node.
  await client.listFederations();
  return {
    target: { host: '127.0.0.1', httpPort, grpcPort },
    key,
    client,
    alive: async () => (await memoryOf(node.pid)) > 0,
    memory: () => memoryOf(node.pid),
    async peakMemory() {
      const peak = await peakMemoryOf(node.pid);
      await forgetPeakMemoryOf(node.pid);
      return peak;
    },
    reading: () => node.reading(),
    stop: () => node.stop(),
  };
}
