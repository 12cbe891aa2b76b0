/** A worker on its own machine: joins a fleet through its Redis and artifacts, and runs jobs in the machine's sandboxes. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SANDBOX_NAMES, SANDBOXES } from '@skein/api/implementations';
import { openDrivers } from '@skein/sandbox';
import { openArtifacts } from '@skein/state';
import {
  machineCapacity,
  openFollowedStore,
  startWorker,
  type Worker,
  type WorkerLog,
  type WorkerOptions,
} from '@skein/jobs';
import { createLogger, type LogFormat, type LogLevel } from './telemetry/log.ts';

export interface FleetWorkerOptions extends Pick<
  WorkerOptions,
  'queues' | 'labels' | 'name' | 'host' | 'trusts' | 'taskModules' | 'leaseMs' | 'graceMs'
> {
  /** `redis://…` or `rediss://…`: the job store. */
  readonly redis: string;
  /** `s3://…`, or a folder that every node and worker sees. */
  readonly blobs: string;
  /** Jobs of different namespaces share a Redis and are invisible to each other. */
  readonly namespace?: string | undefined;
  /** Folder of local copies of artifacts in a bucket. Default: a folder in the user's cache. */
  readonly cacheFolder?: string | undefined;
  /** Most bytes in that folder. Default: 10 GiB, and at most a third of the disk. */
  readonly cacheBytes?: number | undefined;
  /** Default: all that the container may use. */
  readonly cores?: number | undefined;
  /** Default: three quarters of the memory that the container may use. */
  readonly memoryBytes?: number | undefined;
  readonly logFormat: LogFormat;
  readonly logLevel?: LogLevel | undefined;
}

const AWAY = 'The store of jobs does not answer; the worker waits for it.';

/**
 * Resolves when the worker accepts jobs; while its Redis is away it waits, and logs it. Its `drain` also
 * closes its store and its artifacts.
 * @throws SkeinError STORE_UNREACHABLE (the bucket), STORE_TOO_OLD, USAGE (the addresses), DATA_FOLDER_UNUSABLE.
 */
export async function startFleetWorker(options: FleetWorkerOptions): Promise<Worker> {
  const { trusts = true } = options;
  const logger = createLogger(options.logFormat, options.logLevel);
  const cacheFolder = options.cacheFolder ?? join(homedir(), '.cache', 'skein', 'artifacts');
  const { cacheBytes } = options;
  const artifacts = await openArtifacts(options.blobs, cacheFolder, { cacheBytes });
  const log: WorkerLog = (level, message, details) => logger[level](details ?? {}, message);
  const store = await openFollowedStore(options.redis, {
    namespace: options.namespace,
    onAway: (reason) => log('warn', AWAY, { reason }),
    log,
  });
  const sandboxes = await openDrivers(
    { hidden: [cacheFolder, options.blobs] },
    SANDBOX_NAMES.filter((name) => trusts || SANDBOXES[name].isolates),
  );
  const closeAll = async (): Promise<void> => {
    await Promise.all(sandboxes.map((driver) => driver.close()));
    await store.close();
    await artifacts.close();
  };
  try {
    const worker = await startWorker({
      ...options,
      store,
      artifacts,
      sandboxes,
      capacity: machineCapacity(options),
      log,
    });
    let drained: Promise<void> | undefined;
    return {
      ...worker,
      drain(graceMs, stoppingMs) {
        drained ??= worker.drain(graceMs, stoppingMs).then(closeAll);
        return drained;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}
