/**
 * A job as the thread of the store sends it: its spec is left the JSON that the table has, which
 * spares the thread reading and writing it again; whoever asked reads it.
 */
import type { Claim, Job, JobSpec } from '../../contract.ts';

export interface JobView extends Omit<Job, keyof JobSpec> {
  /** JSON; absent when it is as the caller gave it. */
  readonly spec?: string;
}

export interface ClaimView extends Omit<Claim, 'job'> {
  readonly job: JobView;
}

/** @param given what the view leaves out. */
export function jobOfView({ spec, ...state }: JobView, given?: JobSpec): Job {
  const whole = spec === undefined ? given : (JSON.parse(spec) as JobSpec);
  if (!whole) throw new Error(`Job ${state.id} came without its spec.`);
  return { ...whole, ...state };
}
