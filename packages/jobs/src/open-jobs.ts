/**
 * A durable queue and a worker in one call, for programs without a node. Everything lies in one
 * folder, or in a Redis and a bucket that several programs share. An accepted job survives `kill
 * -9` of the program; the next program that opens the same folder continues it.
 */
import { NewJob, QueueName, SkeinError, TenantName, validate, type NewJobInput } from '@skein/api';
import { hasEnded } from '@skein/api/job-states';
import type { ArtifactStore } from '@skein/state';
import { z } from 'zod';
import { specOf } from './admission.ts';
import type { Job, JobStore } from './contract.ts';
import { openJobPlane, type JobPlaneOptions } from './plane.ts';

export interface JobsOptions extends Pick<
  JobPlaneOptions,
  'redis' | 'namespace' | 'blobs' | 'cores'
> {
  /**
   * Holds the store, the artifacts and the files of attempts; one program at a time, unless a Redis
   * and a bucket hold the first two. Made when it does not exist.
   */
  readonly folder: string;
  /** Queues that this program works on. Default: `default`; an empty list only submits. */
  readonly queues?: readonly string[] | undefined;
  /** For shares and quotas between tenants. Default: `default`. */
  readonly tenant?: string | undefined;
  /** Receives messages for the operator. Default: warnings and errors go to stderr. */
  readonly log?: JobPlaneOptions['log'] | undefined;
}

export interface Jobs {
  /**
   * Accepts a job; absent fields have the defaults of the API. Once it resolves, the job is
   * durable.
   * @throws SkeinError REQUEST_INVALID, QUEUE_DRAINING, TENANT_QUOTA, RATE_LIMITED, PARENT_UNKNOWN,
   *   NODE_DRAINING after `close()`.
   */
  submit(job: NewJobInput): Promise<Job>;
  /**
   * Resolves with the job when it has ended, in whichever way.
   * @throws the signal's reason when aborted; SkeinError JOB_UNKNOWN, and NODE_DRAINING when all is
   *   closed before the job has ended.
   */
  ended(id: string, signal?: AbortSignal): Promise<Job>;
  /**
   * The output of the job's last attempt, as far as the store keeps it.
   * @throws SkeinError JOB_UNKNOWN.
   */
  output(id: string): Promise<string>;
  readonly store: JobStore;
  readonly artifacts: ArtifactStore;
  /** Takes nothing new, lets running attempts end or checkpoint, then closes everything. */
  close(): Promise<void>;
}

/** Options that a program in JavaScript may get wrong and would only see later, such as a job that no worker takes. */
const CheckedOptions = z.strictObject({
  folder: z.string().min(1),
  queues: z.array(QueueName).optional(),
  tenant: TenantName.optional(),
  redis: z.string().optional(),
  namespace: z.string().optional(),
  blobs: z.string().optional(),
  cores: z.number().positive().optional(),
  log: z
    .custom<JobsOptions['log']>((log) => typeof log === 'function', 'it is not a function')
    .optional(),
} satisfies Record<keyof JobsOptions, z.ZodType>);

/** Bytes of a log that are read at a time. */
const LOG_CHUNK_BYTES = 1 << 20;

/**
 * @throws SkeinError STORE_UNREACHABLE, STORAGE_FULL, STATE_CORRUPT, DATA_FOLDER_UNUSABLE,
 *   DATA_FOLDER_LOCKED, REQUEST_INVALID, USAGE of an address.
 */
export async function openJobs(options: JobsOptions): Promise<Jobs> {
  validate(CheckedOptions, options, 'options object');
  const { queues = ['default'], tenant = 'default', log = toStderr, ...places } = options;
  const plane = await openJobPlane({ ...places, queues, log });
  const { store, artifacts } = plane;
  plane.work();
  const closed = new AbortController();

  async function known(id: string): Promise<Job> {
    const job = await store.job(id);
    if (job === undefined) throw new SkeinError('JOB_UNKNOWN', `There is no job "${id}".`);
    return job;
  }

  return {
    store,
    artifacts,
    async submit(job) {
      const checked = validate(NewJob, job, 'job');
      const spec = specOf(checked, { tenant, mayTrust: true }, await store.now());
      const [accepted] = await store.enqueue([spec]);
      return accepted!;
    },
    async ended(id, signal) {
      const stop = new AbortController();
      const given = signal === undefined ? [] : [signal];
      const any = AbortSignal.any([stop.signal, closed.signal, ...given]);
      try {
        // Open the stream before reading the job, so that no end is missed between the two.
        const events = store.events({ job: id }, any)[Symbol.asyncIterator]();
        for (let next = events.next(); ; next = events.next()) {
          // A store that fails rejects the read of the job first: this one is not awaited then.
          next.catch(() => undefined);
          const job = await known(id);
          if (hasEnded(job.state)) return job;
          await next;
          any.throwIfAborted();
        }
      } finally {
        stop.abort();
      }
    },
    async output(id) {
      const { attempts } = await known(id);
      const chunks: Uint8Array[] = [];
      for (let offset = 0; ;) {
        const { chunk } = await store.log(id, attempts.length, offset, LOG_CHUNK_BYTES);
        if (chunk.length === 0) return Buffer.concat(chunks).toString('utf8');
        chunks.push(chunk);
        offset += chunk.length;
      }
    },
    async close() {
      await plane.drain();
      const message = 'The jobs were closed.';
      closed.abort(new SkeinError('NODE_DRAINING', message, { retryAfterMs: Infinity }));
    },
  };
}

const toStderr: JobPlaneOptions['log'] = (level, message, details) => {
  if (level === 'warn' || level === 'error') console.error(message, details ?? '');
};
