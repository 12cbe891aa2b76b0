/** The state of a job, and why it has not succeeded. */
import { z } from 'zod';

export const JobState = z.enum([
  'blocked',
  'ready',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'dead',
]);
export type JobState = z.infer<typeof JobState>;

/** In the message of a failed command, before the last line that it wrote to stderr. */
export const LAST_WORDS = ' Its last words: ';

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
