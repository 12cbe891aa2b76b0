/**
 * The job plane of a node: the store, the artifacts, the sandboxes of this host, and a worker of its
 * own. Embedded, all of it is in the data folder; in a fleet the store is a Redis and the artifacts
 * are in a bucket, which all nodes and workers share.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SandboxView, SkeinError } from '@skein/api';
import type { SharedBudget, ShareOf } from '@skein/api/shared-budget';
import { openDrivers, type SandboxDriver, sandboxView } from '@skein/sandbox';
import {
  type ArtifactStore,
  createDiskSpace,
  defaultArtifactBound,
  openArtifacts,
} from '@skein/state';
import { artifactBudget, createHoldings, type ArtifactHoldings } from './artifact-holdings.ts';
import { type OtherNames, sweepArtifacts } from './artifact-sweeper.ts';
import type { JobStore } from './contract.ts';
import type { Worker, WorkerLog } from './worker/contract.ts';
import { lockJobs } from './jobs-lock.ts';
import { openFollowedStore } from './store/followed-store.ts';
import { type JobStoreOptions, openFleetStore, openJobStore } from './store/open-store.ts';
import { machineCapacity } from './worker/capacity.ts';
import { isAway, whenReachable } from './store/when-reachable.ts';
import { startWorker, WORKER_DEFAULTS } from './worker/worker.ts';

export interface JobPlaneOptions {
  /** Holds the store and the artifacts when no others are named. */
  readonly folder: string;
  /** `redis://…` or `rediss://…`: the store that a fleet shares. */
  readonly redis?: string | undefined;
  /** Whether to open while that store or the bucket is away: jobs are then refused until it answers. */
  readonly mayBeAway?: boolean | undefined;
  /** See `JobStoreOptions`. Absent: the plane follows the state in that store. */
  readonly cursor?: JobStoreOptions['cursor'];
  /** Jobs of different namespaces share a Redis without seeing each other. */
  readonly namespace?: string | undefined;
  /** `s3://bucket/prefix?endpoint=…`, or a folder: where artifacts are. */
  readonly blobs?: string | undefined;
  /** Queues that the node itself works on; none: other workers do. */
  readonly queues: readonly string[];
  readonly cores?: number | undefined;
  /**
   * Bound of the bytes of artifacts over all tenants. Default: half of the disk; a bucket has no
   * bound.
   */
  readonly maxArtifactsBytes?: number | undefined;
  /** Bound of the bytes of artifacts of one tenant. Default: the bound over all tenants. */
  readonly shareOf?: ShareOf | undefined;
  /** Bytes that jobs and artifacts leave free on each disk. Default: see `createDiskSpace`. */
  readonly keptFreeBytes?: number | undefined;
  /** Most bytes of copies of a bucket's files. Default: 10 GiB, and at most a third of the disk. */
  readonly cacheBytes?: number | undefined;
  /** Receives how long the jobs that the node itself starts were ready before, in milliseconds. */
  readonly onPickup?: ((waitedMs: number) => void) | undefined;
  /** Everything but jobs that names artifacts: these are kept. Default: nothing else does. */
  readonly otherNames?: OtherNames | undefined;
  readonly log: WorkerLog;
}

export interface JobPlane {
  readonly store: JobStore;
  readonly artifacts: ArtifactStore;
  readonly holdings: ArtifactHoldings;
  /** The bytes of artifacts that each tenant holds. */
  readonly artifactBytes: SharedBudget;
  sandboxes(): Promise<SandboxView[]>;
  /** Starts the worker of the node, once. It tries the sandboxes first, which keeps the cores busy for a while. */
  work(): void;
  /**
   * Stops claiming, and lets running attempts end or checkpoint.
   * @param by when running attempts are given up; a moment of `performance.now()`. Their leases
   *   then expire.
   */
  quiesce(by?: number): Promise<void>;
  /** Drains, then closes everything. */
  drain(by?: number): Promise<void>;
}

/** Time of a drain where none is given, in milliseconds. */
const DRAIN_MS = 60_000;
/** How long a drain waits for a worker that is still starting, in milliseconds. */
const TRYING_MS = 1_000;
/** How long it then waits for the sandboxes, whose probes end when they are closed, in milliseconds. */
const LEFT_MS = 2_000;
/**
 * Parts of the time of a drain: attempts may first end by themselves, then they are asked to stop.
 */
const TO_END = 0.5;
const TO_STOP = 0.4;

/**
 * @throws SkeinError STORE_UNREACHABLE, STORAGE_FULL, STATE_CORRUPT, DATA_FOLDER_UNUSABLE,
 *   DATA_FOLDER_LOCKED.
 */
export async function openJobPlane(options: JobPlaneOptions): Promise<JobPlane> {
  const isShared = options.redis !== undefined && options.blobs !== undefined;
  const lock = isShared ? undefined : await lockJobs(options.folder);
  const opened: Closable[] = [];
  try {
    const plane = await openLocked(options, opened);
    return { ...plane, drain: (by) => plane.drain(by).finally(() => lock?.release()) };
  } catch (error) {
    await Promise.allSettled(opened.map((each) => each.close()));
    lock?.release();
    throw error;
  }
}

interface Closable {
  close(): Promise<void>;
}

/** @param opened gets each part as it is opened, for the caller to close where a later one fails. */
async function openLocked(options: JobPlaneOptions, opened: Closable[]): Promise<JobPlane> {
  const { folder, queues, keptFreeBytes, redis, namespace, log } = options;
  const database = join(folder, 'jobs.db');
  const blobs = options.blobs ?? join(folder, 'blobs');
  const stored = await openArtifacts(
    blobs,
    join(folder, 'blob-cache'),
    // The folder is locked: partial uploads of an earlier process can be
    // removed now.
    {
      keptFreeBytes,
      cacheBytes: options.cacheBytes,
      exclusive: options.blobs === undefined,
      // A wrong address is most likely at the first start.
      onAway:
        options.mayBeAway === true && (redis !== undefined || existsSync(database))
          ? tellIn(log)
          : undefined,
    },
  );
  opened.push(stored);
  const store = await (redis === undefined
    ? openJobStore(database, { space: createDiskSpace({ folder, keptFreeBytes }) })
    : options.cursor === undefined
      ? openFollowedStore(redis, { namespace, log })
      : openFleetStore(redis, {
          namespace,
          mayBeAway: options.mayBeAway,
          cursor: options.cursor,
        }));
  opened.unshift(store);
  const budget = artifactBudget(
    options.maxArtifactsBytes ?? (await defaultArtifactBound(blobs)),
    options.shareOf,
  );
  const ending = new AbortController();
  const restore = async (): Promise<void> => {
    for (const { tenant, bytes } of await store.heldArtifacts()) budget.restore(tenant, bytes);
  };
  await restore().catch((error: unknown) => {
    if (options.mayBeAway !== true || !isAway(error)) throw error;
    whenReachable(restore, { ending: ending.signal }).catch((err: unknown) => {
      if (!ending.signal.aborted)
        log('error', 'The artifacts of tenants could not be counted.', { err });
    });
  });
  // A shared place may hold artifacts that other nodes need, or unrelated files.
  const sweeping =
    redis === undefined && options.blobs === undefined
      ? sweepArtifacts(
          store,
          {
            ...stored,
            async remove(digest) {
              await stored.remove(digest);
              await holdings.drop(digest);
            },
          },
          log,
          options.otherNames ?? (async () => []),
        )
      : undefined;
  const artifacts = sweeping?.artifacts ?? stored;
  const holdings = createHoldings({ store, artifacts, budget });
  let loaded: Promise<readonly SandboxDriver[]> | undefined;
  /** Whether close did not wait for the worker: its messages then are about a closed store. */
  let isLeft = false;
  // Loaded after the node is up: the client of Docker alone has a hundred modules.
  const drivers = (): Promise<readonly SandboxDriver[]> =>
    (loaded ??= openDrivers({ hidden: [folder] }));
  let worker: Promise<Worker | undefined> | undefined;
  const start = async (): Promise<Worker | undefined> => {
    try {
      const sandboxes = await drivers();
      if (ending.signal.aborted) return undefined;
      return await startWorker({
        store,
        artifacts,
        holdings,
        sandboxes,
        queues,
        capacity: machineCapacity({ cores: options.cores }),
        onPickup: options.onPickup,
        log: (...line) => (isLeft ? undefined : log(...line)),
        ending: ending.signal,
      });
    } catch (error) {
      if (ending.signal.aborted) return undefined;
      log('error', 'The worker of this node could not start; jobs wait for other workers.', {
        err: error,
      });
      return undefined;
    }
  };
  const end = async (by = performance.now() + DRAIN_MS): Promise<void> => {
    sweeping?.stop();
    const leftMs = Math.max(0, by - performance.now());
    const { graceMs } = WORKER_DEFAULTS;
    ending.abort();
    // A worker that is still probing its sandboxes has no attempts to finish; it closes when it has
    // started.
    if (worker === undefined) return;
    const drained = worker.then((it) =>
      it?.drain(Math.min(graceMs, leftMs * TO_END), leftMs * TO_STOP),
    );
    const waitMs = Math.min(TRYING_MS, leftMs * TO_END);
    const isUp = worker.then(() => true);
    if (await Promise.race([isUp, sleep(waitMs, false, { ref: false })])) await drained;
    else isLeft = true;
  };
  let quiet: Promise<void> | undefined;
  const quiesce = (by?: number): Promise<void> => (quiet ??= end(by));
  return {
    store,
    artifacts,
    holdings,
    artifactBytes: budget,
    sandboxes: async () => Promise.all((await drivers()).map(sandboxView)),
    work() {
      if (queues.length > 0 && !ending.signal.aborted) worker ??= start();
    },
    quiesce,
    async drain(by) {
      await quiesce(by);
      if (loaded !== undefined) {
        const closed = loaded.then((them) => Promise.all(them.map((driver) => driver.close())));
        const leftMs = Math.max(0, (by ?? Infinity) - performance.now());
        const waitMs = Math.min(isLeft ? LEFT_MS : DRAIN_MS, leftMs);
        await Promise.race([closed, sleep(waitMs, undefined, { ref: false })]);
      }
      await store.close();
      await artifacts.close();
    },
  };
}

function tellIn(log: WorkerLog): (reason: SkeinError | undefined) => void {
  return (reason) => {
    if (reason === undefined) log('info', 'The bucket of artifacts can be used again.');
    else log('warn', WITHOUT_BUCKET, { code: reason.code, reason: reason.message });
  };
}

const WITHOUT_BUCKET =
  'The bucket of artifacts cannot be used: what jobs need of it is refused until it can.';
