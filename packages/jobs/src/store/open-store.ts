/**
 * The stores of jobs: a line each, loaded when it is used, because most programs need one of them.
 * The contract test, the model and the faults run over all of them.
 */
import { type Backend, backendOf, type DiskSpace, FLEET_NAMESPACE } from '@skein/state';
import type { JobStore } from '../contract.ts';
import { keepSpaceFree } from './keep-space.ts';

export interface JobStoreOptions {
  /** Jobs of different namespaces share a server without seeing each other. Default: `fleet`. */
  readonly namespace?: string | undefined;
  /** Refuses to let a store on this disk grow into reserved space. Default: the whole disk may be used. */
  readonly space?: DiskSpace | undefined;
  /** Whether to open a remote store while it is away: calls then fail until it answers. */
  readonly mayBeAway?: boolean | undefined;
  /**
   * Returns the position in the change feed of the fleet's state that this process has reached. Calls
   * are refused with STORE_REPLACED when it throws that, and where the contents are others or older.
   */
  readonly cursor?: (() => string | undefined) | undefined;
  /** For tests: ms since the epoch. */
  readonly clock?: (() => number) | undefined;
}

export const JOB_STORES = {
  sqlite: {
    schemes: [],
    async open(path, { space, clock }) {
      const { openSqliteJobs } = await import('./sqlite/sqlite-jobs.ts');
      const store = await openSqliteJobs(path, clock === undefined ? {} : { clock });
      return space === undefined ? store : keepSpaceFree(store, space);
    },
  },
  redis: {
    schemes: ['redis://', 'rediss://'],
    async open(url, { namespace = FLEET_NAMESPACE, clock, mayBeAway, cursor }) {
      const { openRedisJobs } = await import('./redis/redis-jobs.ts');
      return openRedisJobs(url, { namespace, mayBeAway, cursor, ...(clock && { clock }) });
    },
  },
} as const satisfies Readonly<Record<string, Backend<JobStoreOptions, JobStore>>>;

export type JobStoreName = keyof typeof JOB_STORES;

/**
 * @param address `redis://…` or `rediss://…`, or the path of an SQLite file on this machine.
 * @throws SkeinError USAGE, STORE_UNREACHABLE, STORAGE_FULL, STATE_CORRUPT, DATA_FOLDER_UNUSABLE.
 */
export async function openJobStore(
  address: string,
  options: JobStoreOptions = {},
): Promise<JobStore> {
  return backendOf(JOB_STORES, address).open(address, options);
}

/** The store that a fleet shares: not a file of this machine. @throws SkeinError USAGE, STORE_UNREACHABLE. */
export async function openFleetStore(
  address: string,
  options: JobStoreOptions = {},
): Promise<JobStore> {
  return backendOf(JOB_STORES, address, 'network').open(address, options);
}
