/** How a version leaves the memory of this node. */
import type { ServingContext } from '../context.ts';
import type { Deployment } from '../deployment/deployment.ts';
import type { LiveTarget } from '../deployment/live-target.ts';

/** Ends a version that takes no requests. */
export async function discard(context: ServingContext, live: LiveTarget): Promise<void> {
  await live.target.drain(context.clock.now()).catch(() => {});
  context.inMemory.delete(live);
}

/** Removes a version from the deployment; its target finishes its accepted requests in the background. */
export function retire(
  context: ServingContext,
  deployment: Deployment,
  live: LiveTarget,
): Promise<void> {
  deployment.remove(live);
  const drained: Promise<void> = live.target
    .drain()
    .catch((error: unknown) =>
      context.log('A version failed to stop.', { deployment: deployment.name, error }),
    )
    .finally(() => {
      context.draining.delete(live.target);
      context.inMemory.delete(live);
    });
  context.draining.set(live.target, drained);
  return drained;
}
