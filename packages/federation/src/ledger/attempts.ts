/**
 * Whether the rounds of a ledger follow from one another: an attempt has sites that have accepted the plan, its sum has
 * as many of them as share the noise, and each round begins with the parameters with which the last one ended. Runs in
 * Node and in the browser.
 */
import { mostBehind, mostUpdates } from '../plan/buffer.ts';
import { aggregationIn } from '../plan/kinds/choices.ts';
import type { Plan } from '../plan/plan.ts';
import type { LedgerEvent } from './entry.ts';

type Of<K extends LedgerEvent['kind']> = Extract<LedgerEvent, { kind: K }>;

/** @returns a function that reads one event after the other, and returns the fault of the event, if any. */
export function followAttempts(plan: Plan): (event: LedgerEvent) => string | undefined {
  const { model, rounds, sites } = plan;
  const { encoding } = aggregationIn(plan);
  const members = new Set<string>();
  let open: Of<'opened'> | undefined;
  let parameters = model.digest;
  let next = 0;

  function flawOfRoster({ round, roster }: Of<'opened'>): string | undefined {
    if (round < next || round >= rounds) return `round ${round} is not one of those to come`;
    if (new Set(roster).size < roster.length) return 'its roster names a site twice';
    if (roster.length > sites.maximum) return 'its roster has more sites than the plan';
    const stranger = roster.find((site) => !members.has(site));
    return stranger === undefined ? undefined : `its roster has ${stranger}, which takes no part`;
  }

  function flawOfRound({ round, attempt, survivors, behind, before }: Of<'finished-round'>) {
    if (open?.round !== round || open.attempt !== attempt)
      return 'it ends an attempt that is not open';
    const roster = new Set(open.roster);
    const own = new Set(survivors);
    if (own.size < survivors.length || survivors.some((site) => !roster.has(site))) {
      return 'its sum has other sites than its roster';
    }
    // Without secure sums no site adds noise, nor hides behind another.
    if (encoding !== undefined && own.size < sites.threshold) {
      return `its sum has ${own.size} sites, and the plan asks for ${sites.threshold}`;
    }
    if (own.size > mostUpdates(plan)) {
      return `its sum has ${own.size} sites, and the plan allows ${mostUpdates(plan)}`;
    }
    if (behind !== undefined && !areAges(behind, { round, sites: own.size })) {
      return 'its updates have other rounds than the plan allows';
    }
    return before === parameters
      ? undefined
      : 'it begins with other parameters than the last sum gave';
  }

  /** Whether there are as many ages as sites, and each is a round that an update may have. */
  function areAges(
    behind: readonly number[],
    of: { readonly round: number; readonly sites: number },
  ): boolean {
    const total = behind.reduce((sum, count) => sum + count, 0);
    const oldest = behind.findLastIndex((count) => count > 0);
    return total === of.sites && oldest <= mostBehind(plan, of.round);
  }

  function flawOfAccusation({ round, attempt, by, sites: accused }: Of<'accused'>) {
    const roster = open?.round === round && open.attempt === attempt ? open.roster : [];
    const isOfAttempt = [...accused, ...(by === undefined ? [] : [by])].every((site) =>
      roster.includes(site),
    );
    return isOfAttempt ? undefined : 'it accuses sites of another attempt';
  }

  return (event) => {
    switch (event.kind) {
      case 'accepted':
        members.add(event.site);
        return undefined;
      case 'revoked':
        members.delete(event.site);
        return undefined;
      case 'opened':
        open = event;
        return flawOfRoster(event);
      case 'recounted':
        return members.has(event.site) ? undefined : 'it counts for a site that takes no part';
      case 'accused':
        return flawOfAccusation(event);
      case 'aborted':
        open = undefined;
        return undefined;
      case 'finished-round': {
        const flaw = flawOfRound(event);
        [open, parameters, next] = [undefined, event.after, event.round + 1];
        return flaw;
      }
      case 'ended':
        return event.model === undefined || event.model === parameters
          ? undefined
          : 'it ends with other parameters than the last sum gave';
      default:
        return undefined;
    }
  };
}
