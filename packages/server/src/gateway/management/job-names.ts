/**
 * A job id that a caller chooses is unique within its tenant, so that a taken id reveals nothing
 * about jobs of other tenants. The store keeps `tenant:name`; the tenant itself sees only `name`.
 *
 * A caller with the scope `admin` sees all jobs, under the ids of the store. The name of a tenant
 * has no colon, so ids of different tenants cannot collide.
 */
import { SkeinError } from '@skein/api';
import type { JobView } from '@skein/api';
import type { Job, JobSpec, JobStore } from '@skein/jobs';
import type { Caller } from '../../access/contract.ts';

export function seesAll(caller: Caller): boolean {
  return caller.scopes.includes('admin');
}

/** @throws SkeinError JOB_UNKNOWN also for a job of another tenant. */
export async function visibleJob(
  jobs: Pick<JobStore, 'job'>,
  caller: Caller,
  id: string,
): Promise<Job> {
  if (seesAll(caller)) return knownJob(await jobs.job(id), id);
  const job = (await jobs.job(storedName(caller, id))) ?? (await jobs.job(id));
  return knownJob(job?.tenant === caller.tenant ? job : undefined, id);
}

export function knownJob(job: Job | undefined, id: string): Job {
  if (job !== undefined) return job;
  throw new SkeinError('JOB_UNKNOWN', `There is no job "${id}".`);
}

/** The store's id of an existing job with this name; the name itself if there is none. */
export async function storedId(
  jobs: Pick<JobStore, 'job'>,
  caller: Caller,
  name: string,
): Promise<string> {
  const stored = storedName(caller, name);
  return stored === name || (await jobs.job(stored)) === undefined ? name : stored;
}

/** The store's id for a name that this caller chooses. */
export function storedName(caller: Caller, name: string): string {
  return seesAll(caller) ? name : `${caller.tenant}:${name}`;
}

/** The id that this caller sees for a job of its tenant. */
export function shownName(caller: Caller, id: string): string {
  const prefix = `${caller.tenant}:`;
  return !seesAll(caller) && id.startsWith(prefix) ? id.slice(prefix.length) : id;
}

/** A job with the ids that its caller sees. */
export function withShownNames(caller: Caller, view: JobView): JobView {
  if (seesAll(caller)) return view;
  return {
    ...view,
    id: shownName(caller, view.id),
    parents: view.parents.map((parent) => shownName(caller, parent)),
    ...(view.behind === undefined ? {} : { behind: shownName(caller, view.behind) }),
    ...(view.cachedFrom === undefined ? {} : { cachedFrom: shownName(caller, view.cachedFrom) }),
  };
}

type Spec = JobSpec & { readonly id: string };

/**
 * Jobs of one submission, with the ids of the store in place of names.
 * @param chosen the ids that the caller has chosen.
 * @throws SkeinError JOB_UNKNOWN for a parent that does not exist or belongs to another tenant.
 */
export async function withStoredNames(
  jobs: Pick<JobStore, 'job'>,
  caller: Caller,
  specs: readonly Spec[],
  chosen: ReadonlySet<string>,
): Promise<Spec[]> {
  const ids = new Map<string, string>();
  for (const { id } of specs) ids.set(id, chosen.has(id) ? storedName(caller, id) : id);
  for (const parent of new Set(specs.flatMap((spec) => spec.parents))) {
    if (!ids.has(parent)) ids.set(parent, (await visibleJob(jobs, caller, parent)).id);
  }
  const stored = (name: string): string => ids.get(name) ?? name;
  return specs.map((spec) => ({
    ...spec,
    id: stored(spec.id),
    parents: spec.parents.map(stored),
  }));
}
