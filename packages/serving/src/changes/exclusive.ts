/** One change of a deployment at a time: a second one is refused at once, not queued for an unknown time. */
import { SkeinError } from '@skein/api';
import type { ServingContext } from '../context.ts';

type Busy = Pick<ServingContext, 'changing' | 'runs' | 'deployments'>;

/** @throws SkeinError ROLLOUT_IN_PROGRESS, and what the change throws. */
export async function exclusively(
  { changing, runs, deployments }: Busy,
  name: string,
  change: () => Promise<void>,
): Promise<void> {
  if (changing.has(name) || runs.has(name)) {
    throw new SkeinError('ROLLOUT_IN_PROGRESS', `Deployment "${name}" is being changed already.`);
  }
  if (deployments.get(name)?.restoring !== undefined) {
    throw new SkeinError('ROLLOUT_IN_PROGRESS', `Deployment "${name}" is being restored.`);
  }
  const { promise, resolve } = Promise.withResolvers<boolean>();
  changing.set(name, promise);
  let done = false;
  try {
    await change();
    done = true;
  } finally {
    changing.delete(name);
    resolve(done);
  }
}
