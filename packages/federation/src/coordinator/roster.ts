/** Which sites take part in an attempt: among those that are connected, by the plan. */
import type { Strategy } from '@skein/train/federated';
import { helpersOf } from '../plan/helpers.ts';
import type { Plan } from '../plan/plan.ts';
import type { Session } from './session.ts';

/**
 * @param sessions by key, those that have waited longest first.
 * @returns their keys in order; undefined: too few sites, or not all helpers, are connected.
 */
export function rosterOf(
  plan: Plan,
  sessions: ReadonlyMap<string, Pick<Session, 'key' | 'role'>>,
  strategy: Pick<Strategy, 'secureSum' | 'participants'>,
  round: number,
): string[] | undefined {
  const ready = [...sessions.values()].filter(({ role }) => role === 'site');
  const areHelpersHere = helpersOf(plan).every(({ identity }) => sessions.has(identity));
  if (ready.length < plan.sites.minimum || !areHelpersHere) return undefined;
  const keys = ready.slice(0, plan.sites.maximum).map(({ key }) => key);
  keys.sort();
  if (strategy.secureSum) return keys;
  return strategy.participants(round, keys.length, 0).map((at) => keys[at]!);
}
