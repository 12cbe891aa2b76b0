/** Every backend of the store under one clock, and the jobs, offers and outcomes that tests are made of. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Claim, JobSpec, JobStore, Outcome, WorkerOffer } from '../../contract.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { JOB_STORES, type JobStoreName, openJobStore } from '../open-store.ts';
import { startRedis, type TestRedis } from './redis-server.ts';

export interface Place {
  /** Whether stores on the same data notify each other at once. */
  readonly shared: boolean;
  /** The server that its stores are on, to be killed and started again. */
  readonly server: TestRedis | undefined;
  /** Address of the store of this name. */
  address(name: string): string;
  /** A store of its own; the same `name` again opens the same store. */
  open(name: string, clock?: () => number): Promise<JobStore>;
  destroy(): Promise<void>;
}

/** A place that stores can be made in; each store of the registry needs one to be tested. */
const PLACES: Readonly<
  Record<
    JobStoreName,
    { readonly skip: boolean; make(): Promise<Pick<Place, 'server' | 'address' | 'destroy'>> }
  >
> = {
  sqlite: {
    skip: false,
    async make() {
      const folder = await mkdtemp(join(tmpdir(), 'skein-jobs-'));
      return {
        server: undefined,
        address: (name) => join(folder, `${name}.db`),
        destroy: () => rm(folder, { recursive: true }),
      };
    },
  },
  redis: {
    skip: requireComponent('redis').skip,
    async make() {
      const server = await startRedis();
      return { server, address: () => server.url, destroy: () => server.destroy() };
    },
  },
};

/** Every store of the registry, each with a place that any number of fresh stores can be opened in. */
export const BACKENDS = (Object.keys(JOB_STORES) as JobStoreName[]).map((name) => {
  const shared = JOB_STORES[name].schemes.length > 0;
  return {
    name,
    skip: PLACES[name].skip,
    shared,
    async make(): Promise<Place> {
      const place = await PLACES[name].make();
      return {
        ...place,
        shared,
        open: (store, clock) => openJobStore(place.address(store), { namespace: store, clock }),
      };
    },
  };
});

export const job = (more: Partial<JobSpec> & { id?: string } = {}): JobSpec & { id?: string } => ({
  queue: 'q',
  tenant: 't',
  name: 'job',
  work: { kind: 'task', task: 'x', module: { path: '/x.ts' }, input: { größe: 1 }, limits: {} },
  priority: 0,
  resources: { cores: 1, memoryBytes: 2 ** 20 },
  requires: [],
  retry: { maxAttempts: 3, backoffMs: 0, maxBackoffMs: 0 },
  parents: [],
  retentionMs: 3_600_000,
  ...more,
});

export const offer = (more: Partial<WorkerOffer> = {}): WorkerOffer => ({
  worker: 'w',
  queues: ['q'],
  free: { cores: 64, memoryBytes: 2 ** 36 },
  labels: [],
  max: 100,
  leaseMs: 10_000,
  ...more,
});

export const success = (value: unknown = null): Outcome => ({
  kind: 'succeeded',
  result: { value, outputs: [] },
});

export const failure = (
  more: Partial<Extract<Outcome, { kind: 'failed' }>> = {},
): Extract<Outcome, { kind: 'failed' }> => ({
  kind: 'failed',
  cause: 'error',
  message: 'it broke',
  retryable: true,
  ...more,
});

/** The claim of a single job. @throws Error when there is not exactly one. */
export async function claimOne(store: JobStore, more: Partial<WorkerOffer> = {}): Promise<Claim> {
  const claims = await store.claim(offer({ max: 1, ...more }));
  const [claim] = claims;
  if (claims.length !== 1 || !claim)
    throw new Error(`${claims.length} jobs were claimed, not one.`);
  return claim;
}

/** Enqueues one. */
export async function enqueueOne(
  store: JobStore,
  more: Partial<JobSpec> & { id?: string } = {},
): Promise<string> {
  const [made] = await store.enqueue([job(more)]);
  if (!made) throw new Error('Nothing was enqueued.');
  return made.id;
}
