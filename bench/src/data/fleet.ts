/** A fleet on this machine: a node that runs no jobs itself, Redis, and workers of one core each. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startRedis } from '../../../packages/jobs/src/store/testing/redis-server.ts';
import { SKEIN } from '../harness/node.ts';
import { startSkein, type Skein } from './skein.ts';

/** Time after which the jobs of a killed worker run elsewhere. */
const LEASE = '2s';

export interface FleetWorker {
  readonly pid: number;
  readonly isAlive: () => boolean;
  /** Sends SIGKILL; resolves when it has ended. */
  readonly kill: () => Promise<void>;
}

export interface DataFleet {
  readonly skein: Skein;
  /** @param core that it is pinned to. */
  readonly startWorker: (core: number, label: string) => Promise<FleetWorker>;
  readonly close: () => Promise<void>;
}

export async function startDataFleet(folder: string): Promise<DataFleet> {
  const redis = await startRedis();
  const blobs = join(folder, 'blobs');
  const places = ['--redis', redis.url, '--blobs', blobs];
  const workers: FleetWorker[] = [];
  const endAll = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.kill()));
    await redis.destroy();
  };
  try {
    const skein = await startSkein(join(folder, 'node'), [...places, '--queues', 'none'], blobs);
    return {
      skein,
      async startWorker(core, label) {
        const worker = await launchWorker(core, [...places, '--label', label]);
        workers.push(worker);
        return worker;
      },
      async close() {
        await skein.close();
        await endAll();
      },
    };
  } catch (error) {
    await endAll();
    throw error;
  }
}

async function launchWorker(core: number, options: readonly string[]): Promise<FleetWorker> {
  const own = ['--cores', '1', '--memory', '3GiB', '--lease', LEASE, '--log', 'off', '--json'];
  const words = ['-c', String(core), process.execPath, SKEIN, 'worker', ...options, ...own];
  const child = spawn('taskset', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  let output = '';
  const started = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (/^\}$/m.test(output)) resolve();
    });
  });
  await Promise.race([started, ended]);
  if (child.exitCode !== null) throw new Error(`skein worker ended: ${output}`);
  const { pid } = JSON.parse(output) as { readonly pid: number };
  return {
    pid,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      process.kill(pid, 'SIGKILL');
      await ended;
    },
  };
}

/** The processes of DuckDB that the worker has. */
export async function enginesOf({ pid }: FleetWorker): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const engines: number[] = [];
  for (const thread of threads) {
    const path = `/proc/${pid}/task/${thread}/children`;
    const children = await readFile(path, 'utf8').catch(() => '');
    for (const child of children.split(' ').filter(Boolean)) {
      const command = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '');
      if (command.includes('engine-process')) engines.push(Number(child));
    }
  }
  return engines;
}
