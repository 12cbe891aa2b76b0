/** The state of a job, and why it has not succeeded. */
import { z } from 'zod';
import { JOB_STATES } from '../job-states.ts';

export const JobState = z.enum(JOB_STATES);
export type JobState = z.infer<typeof JobState>;

export const JobCause = z.enum([
  'error',
  'exit-code',
  'signal',
  'out-of-memory',
  'timeout',
  'output-limit',
  'lease-lost',
  'preempted',
  'refused',
  'deadline',
  'parent-failed',
  'cancelled',
  'gang-broken',
]);
export type JobCause = z.infer<typeof JobCause>;
