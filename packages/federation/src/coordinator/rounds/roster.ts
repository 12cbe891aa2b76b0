/** Which sites take part in an attempt: among those that are connected, by the plan. */
import { helpersOf } from '../../plan/helpers.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Session } from '../sessions/session.ts';

/**
 * @param sessions by key, those that have waited longest first.
 * @param suspects sites that spoilt the attempt before: left out where there are enough others.
 * @returns their keys in order; undefined: too few sites, or not all helpers, are connected.
 */
export function rosterOf(
  plan: Plan,
  sessions: ReadonlyMap<string, Pick<Session, 'key' | 'role'>>,
  suspects: readonly string[] = [],
): string[] | undefined {
  const all = [...sessions.values()].filter(({ role }) => role === 'site');
  const others = all.filter(({ key }) => !suspects.includes(key));
  const ready = others.length < plan.sites.minimum ? all : others;
  const areHelpersHere = helpersOf(plan).every(({ identity }) => sessions.has(identity));
  if (ready.length < plan.sites.minimum || !areHelpersHere) return undefined;
  return ready
    .slice(0, plan.sites.maximum)
    .map(({ key }) => key)
    .toSorted();
}
