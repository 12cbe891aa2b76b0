/**
 * Measures from the call that cancels a running job until every process of it is dead and its
 * sandbox is removed. The caller and the worker have separate connections to the store, as on two
 * machines.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openArtifacts } from '@skein/state';
import { startWorker, type JobStore } from '@skein/jobs';
import type { SandboxDriver } from '@skein/sandbox';
import { temporaryFolder } from '../harness/folder.ts';
import { quantile } from '../harness/statistics.ts';

export interface CancelLatency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Ignores every signal that can be ignored, and keeps a core busy. */
const STUBBORN = 'trap "" TERM INT HUP; echo "::progress 0 up" >&2; while :; do :; done';
const LONGEST_MS = 30_000;

/**
 * @param open a connection to the store, a new one with each call.
 * @param rounds jobs that are started and cancelled, one after another.
 */
export async function measureCancel(
  open: () => Promise<JobStore>,
  driver: SandboxDriver,
  rounds: number,
): Promise<CancelLatency> {
  const folder = await temporaryFolder();
  const [ours, theirs] = [await open(), await open()];
  const worker = await startWorker({
    store: theirs,
    artifacts: await openArtifacts(join(folder.path, 'blobs'), join(folder.path, 'cache')),
    sandboxes: [driver],
    queues: ['bench-cancel'],
    capacity: { cores: 1, memoryBytes: 2 ** 29 },
    log: () => undefined,
  });
  const samples: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const [job] = await ours.enqueue([stubborn(driver)]);
      await until(async () => (await ours.job(job!.id))?.progress !== undefined);
      const startedAt = performance.now();
      await ours.cancel(job!.id, 'bench');
      await until(async () => worker.running().length === 0);
      samples.push(performance.now() - startedAt);
    }
  } finally {
    await worker.drain(0);
    await ours.close();
    await theirs.close();
    await folder.remove();
  }
  return { p50Ms: quantile(samples, 0.5), p99Ms: quantile(samples, 0.99) };
}

function stubborn({ name }: SandboxDriver): Parameters<JobStore['enqueue']>[0][number] {
  return {
    queue: 'bench-cancel',
    tenant: 'bench',
    name: 'stubborn',
    work: {
      kind: 'command',
      argv: ['/bin/sh', '-c', STUBBORN],
      sandbox: name,
      inputs: [],
      outputs: [],
      limits: {},
    },
    priority: 0,
    resources: { cores: 1, memoryBytes: 2 ** 27 },
    requires: [],
    retry: { maxAttempts: 1, backoffMs: 0, maxBackoffMs: 0 },
    parents: [],
    retentionMs: 60_000,
  };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + LONGEST_MS;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error('The job does not do what is measured.');
    await sleep(1);
  }
}
