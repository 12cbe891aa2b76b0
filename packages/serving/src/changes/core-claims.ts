/**
 * Checks the cores that deployments claim: the threads of all minimum replicas must fit, because
 * those run whatever the traffic. A deployment that claims more is rejected at once, instead of
 * delaying every other one. With `oversubscribe` the operator allows it.
 *
 * A composition claims none: it mostly waits for other deployments, whose threads do the computing.
 */
import { SkeinError } from '@skein/api';
import type { EffectiveSettings } from '../deployment/settings.ts';

export interface CoreClaim {
  readonly kind: 'onnx' | 'composition';
  readonly settings: EffectiveSettings;
}

/** Threads that run whatever the traffic. */
export function leastThreads({ kind, settings: { settings, replicas } }: CoreClaim): number {
  const countsNot = kind === 'composition' || settings.oversubscribe;
  return countsNot ? 0 : settings.threads * replicas.min;
}

const heldThreads = (claims: ReadonlyMap<string, CoreClaim>): number =>
  [...claims.values()].reduce((sum, claim) => sum + leastThreads(claim), 0);

/** Takes the parameters of `checkLeastThreads`. */
export function leastThreadsFit(
  asked: CoreClaim,
  before: CoreClaim | undefined,
  others: ReadonlyMap<string, CoreClaim>,
  cores: number,
): boolean {
  const wanted = leastThreads(asked);
  if (wanted <= (before === undefined ? 0 : leastThreads(before))) return true;
  return heldThreads(others) + wanted <= cores;
}

/**
 * A change that claims no more than before passes even if other deployments exceed the cores: a
 * node may have moved to a smaller machine.
 *
 * @param before the previous claim of the deployment; undefined for a new one.
 * @param others claims of the other deployments, by name.
 * @throws SkeinError DEPLOYMENT_INVALID with the deployments that hold the cores, and the fix.
 */
export function checkLeastThreads(
  name: string,
  asked: CoreClaim,
  before: CoreClaim | undefined,
  others: ReadonlyMap<string, CoreClaim>,
  cores: number,
): void {
  if (leastThreadsFit(asked, before, others, cores)) return;
  const holders = [...others].flatMap(([other, claim]) => {
    const threads = leastThreads(claim);
    return threads === 0 ? [] : [`${other} (${threads})`];
  });
  const { settings, replicas } = asked.settings;
  throw new SkeinError(
    'DEPLOYMENT_INVALID',
    `"${name}" takes ${replicas.min} × ${settings.threads} threads at least, and of the node's ${cores} cores ` +
      `other deployments hold ${heldThreads(others)}: ${holders.join(', ')}. Undeploy one of them, lower replicas.min or ` +
      `threads, here or there, or set oversubscribe. With --replicas 0..1 it takes cores only while it gets requests.`,
  );
}
