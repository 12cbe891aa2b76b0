/** The states of a job, without the schemas: for pages, and for threads that load little. */
export const JOB_STATES = [
  'blocked',
  'ready',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'dead',
] as const;
export type JobState = (typeof JOB_STATES)[number];

export function hasEnded(state: JobState): boolean {
  return state === 'succeeded' || hasFailed(state);
}

/** Whether it has ended in another way than it should. */
export function hasFailed(state: JobState): boolean {
  return state === 'failed' || state === 'cancelled' || state === 'dead';
}

/** How many jobs are in each state: none. */
export function noJobs(): Record<JobState, number> {
  const counts = JOB_STATES.map((state) => [state, 0]);
  return Object.fromEntries(counts) as Record<JobState, number>;
}

/** In the message of a failed command, before the last line that it wrote to stderr. */
export const LAST_WORDS = ' Its last words: ';
