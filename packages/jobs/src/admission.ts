/**
 * Converts a caller's request to the spec that the store keeps. Relative times become absolute
 * times of the store's clock, the tenant and the trust come from the caller's key, and a job that
 * asks for caching gets the digest of everything that its result depends on.
 */
import { createHash, randomUUID } from 'node:crypto';
import { SkeinError, type NewJob } from '@skein/api';
import { credentialRefusal } from '@skein/api/address-secrets';
import { canonical } from '@skein/api/canonical';
import { SANDBOXES } from '@skein/api/implementations';
import { registeredName } from '@skein/sandbox';
import type { JobSpec, ScheduledSpec } from './contract.ts';
import type { Work } from './work.ts';

export interface Submitter {
  readonly tenant: string;
  /** Whether the caller may ask for work without isolation and for code of this machine. */
  readonly mayTrust: boolean;
}

/**
 * @param now the store's clock, in milliseconds since the epoch.
 * @throws SkeinError SCOPE_MISSING when the work needs a trust that the caller does not have;
 *   REQUEST_INVALID when a limit is above what the job asks for, or a table's address has a credential.
 */
export function specOf(job: NewJob, submitter: Submitter, now: number): JobSpec & { id: string } {
  const work = job.work as Work;
  refuseCredentials(work);
  if (!submitter.mayTrust) {
    refuseTrust(work, job.name ?? nameOf(work));
    refuseExcess(job);
  }
  const { startAfterMs, finishWithinMs, cache, name, id, ...rest } = job;
  return {
    ...rest,
    id: id ?? randomUUID(),
    name: name ?? nameOf(work),
    tenant: submitter.tenant,
    work,
    requires: [...job.requires].sort(),
    ...(startAfterMs === undefined ? {} : { notBefore: now + startAfterMs }),
    ...(finishWithinMs === undefined ? {} : { deadline: now + finishWithinMs }),
    ...(cache ? { cacheKey: cacheKeyOf(work, submitter.tenant) } : {}),
  };
}

/**
 * Fields that name one job, and so have no meaning in one that is enqueued again and again: once a parent is removed, each
 * later occurrence would be refused.
 */
const OF_ONE_JOB = ['id', 'idempotencyKey', 'gang', 'parents'] as const;

/**
 * The job of a schedule: its times stay relative, to each time at which it is enqueued.
 * @throws SkeinError as `specOf`; REQUEST_INVALID for a job that can be enqueued only once.
 */
export function scheduledSpecOf(job: NewJob, submitter: Submitter): ScheduledSpec {
  const given = { ...job, parents: job.parents.length === 0 ? undefined : job.parents };
  const once = OF_ONE_JOB.find((field) => given[field] !== undefined);
  if (once !== undefined) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `The job of a schedule has "${once}", which names one job, and a schedule enqueues many: leave it out.`,
    );
  }
  const { startAfterMs, finishWithinMs, ...rest } = job;
  const { id: _, ...spec } = specOf(rest, submitter, 0);
  return { ...spec, startAfterMs, finishWithinMs };
}

/** The store keeps the input of a map, and lists and lineage show it. */
function refuseCredentials(work: Work): void {
  if (work.kind !== 'task' || !work.task.startsWith('skein-map')) return;
  for (const address of addressesIn(work.input)) {
    const refusal = credentialRefusal(address);
    if (refusal !== undefined) throw new SkeinError('REQUEST_INVALID', refusal);
  }
}

/** Texts under `address` and `addresses`, at any depth: tasks of a map have them in tables and in shards. */
function* addressesIn(value: unknown, name?: string): Generator<string> {
  if (typeof value === 'string' && (name === 'address' || name === 'addresses')) yield value;
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    yield* addressesIn(child, Array.isArray(value) ? name : key);
  }
}

function refuseTrust(work: Work, name: string): void {
  const reason = trustNeeded(work);
  if (reason === undefined) return;
  throw new SkeinError(
    'SCOPE_MISSING',
    `Job "${name}" ${reason}, which needs an API key with the scope "admin".`,
  );
}

/**
 * More processes and threads than this fill the machine's process table, however little memory they
 * use.
 */
const MOST_PIDS = 4096;

/** Quotas and shares count the resources that a job asks for, so its limits may not exceed them. */
function refuseExcess({ work, resources }: NewJob): void {
  const most = { memoryBytes: resources.memoryBytes, cores: resources.cores, pids: MOST_PIDS };
  for (const [name, bound] of Object.entries(most)) {
    const asked = work.limits[name as keyof typeof most];
    if (asked === undefined || asked <= bound) continue;
    throw new SkeinError(
      'REQUEST_INVALID',
      `limits.${name} is ${asked}; with a key without the scope "admin" it may be at most ${bound}${name === 'pids' ? '' : `, which is what resources.${name} asks for`}.`,
    );
  }
}

function trustNeeded(work: Work): string | undefined {
  if (work.kind === 'task') return 'runs a task without isolation';
  if (work.trusted === true) return 'is to be trusted';
  if (work.sandbox !== undefined && !SANDBOXES[work.sandbox].isolates) {
    return `asks for the ${work.sandbox} driver`;
  }
  if (work.network === 'host') return 'asks for the network of the host';
  // The image is the root file system of a guest: its choice decides which files of the host the
  // guest sees.
  if (work.image !== undefined && registeredName(work.image) === undefined) {
    return `asks for the image ${JSON.stringify(work.image)} (not a registered name)`;
  }
  return undefined;
}

function nameOf(work: Work): string {
  return (work.kind === 'task' ? work.task : work.argv.join(' ')).slice(0, 200);
}

/**
 * sha-256 over the work in a canonical form. Limits are left out: they decide whether the work
 * completes, not what it produces. The tenant is included, so that a cache hit reveals nothing about
 * the work of another tenant.
 *
 * An image counts by its name. The programs of a sandbox without an image do not count: the key is
 * needed before a worker, and so the programs, are known.
 */
export function cacheKeyOf(work: Work, tenant: string): string {
  const { limits: _, ...rest } = work;
  return createHash('sha256')
    .update(canonical({ tenant, ...rest }))
    .digest('hex');
}
