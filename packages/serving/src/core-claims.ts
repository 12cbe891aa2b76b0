/**
 * What deployments may ask of the cores of a node: the threads of all their least replicas together
 * fit, because those run whatever the traffic. Whoever asks for more is told at once, instead of
 * making everybody late; `oversubscribe` is how a person says that they mean it.
 *
 * A composition takes none: it waits for others most of the time, and its calls compute on theirs.
 */
import { SkeinError } from '@skein/api';
import type { EffectiveSettings } from './settings.ts';

/** What one deployment asks for. */
export interface CoreClaim {
  readonly kind: 'onnx' | 'composition';
  readonly settings: EffectiveSettings;
}

/** Threads that run whatever the traffic. */
export function leastThreads({ kind, settings: { settings, replicas } }: CoreClaim): number {
  const countsNot = kind === 'composition' || settings.oversubscribe;
  return countsNot ? 0 : settings.threads * replicas.min;
}

/**
 * A change that asks for no more than before passes even where others have too much already: a node
 * may have moved to a smaller machine.
 *
 * @param before what the deployment had asked for; undefined for a new one.
 * @param others what the others ask for, by name.
 * @throws SkeinError DEPLOYMENT_INVALID with who has the cores, and what to change.
 */
export function checkLeastThreads(
  name: string,
  asked: CoreClaim,
  before: CoreClaim | undefined,
  others: ReadonlyMap<string, CoreClaim>,
  cores: number,
): void {
  const wanted = leastThreads(asked);
  if (wanted <= (before === undefined ? 0 : leastThreads(before))) return;
  const holders: string[] = [];
  let held = 0;
  for (const [other, claim] of others) {
    const threads = leastThreads(claim);
    if (threads === 0) continue;
    held += threads;
    holders.push(`${other} (${threads})`);
  }
  if (held + wanted <= cores) return;
  const { settings, replicas } = asked.settings;
  throw new SkeinError(
    'DEPLOYMENT_INVALID',
    `At least ${replicas.min} × ${settings.threads} threads of "${name}" would run, but of the node's ` +
      `${cores} cores ${held} are taken: ${holders.join(', ')}. ` +
      `Lower replicas.min or threads, here or there, or set oversubscribe.`,
  );
}
