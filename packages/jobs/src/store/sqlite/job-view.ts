/**
 * A job as the store's thread sends it. The spec stays the JSON of the table, so that the store's
 * thread does not parse and serialise it; the caller's thread parses it.
 */
import type { Claim, Job, JobSpec } from '../../contract.ts';

export interface JobView extends Omit<Job, keyof JobSpec> {
  /** JSON; absent when it equals the spec that the caller gave. */
  readonly spec?: string;
}

export interface ListedView extends JobView {
  readonly behind?: string;
}

export interface ClaimView extends Omit<Claim, 'job'> {
  readonly job: JobView;
}

/** @param given the spec, when the view leaves it out. */
export function jobOfView({ spec, ...state }: JobView, given?: JobSpec): Job {
  const whole = spec === undefined ? given : (JSON.parse(spec) as JobSpec);
  if (!whole) throw new Error(`Job ${state.id} came without its spec.`);
  return { ...whole, ...state };
}
