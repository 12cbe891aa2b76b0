/**
 * The places of a federation: a site takes one when it accepts the plan, not when it opens its link. A site that finds
 * all of them taken is refused, and comes again until one is free.
 *
 *   enrolled ──accepts──▶ has a place ──revoked──▶ the place is free
 *      │  ▲
 *      ▼  │ comes again
 *   waiting
 *
 * Sites that pass have no places: a round takes as many of them as the plan gives.
 */
import { SkeinError } from '@skein/api/errors';
import { isOver } from '@skein/api/federations';
import { pseudonymOf } from '../../identity/keys.ts';
import type { LedgerEvent } from '../../ledger/entry.ts';
import { MOST_ATTEMPTS } from '../../plan/encoding.ts';
import { aggregationIn, isPrivate } from '../../plan/kinds/choices.ts';
import type { Plan } from '../../plan/plan.ts';
import type { MemberRecord, RunRecord, RunState } from '../../store/federation-store.ts';
import type { ConductorOptions } from './attempt.ts';

/** The run whose places are kept. */
interface PlacesRun {
  readonly record: RunRecord;
  /** Appends the event to the ledger, and changes the run's state with it. */
  note(event: LedgerEvent, state?: Partial<RunState>): Promise<void>;
}

export class Places {
  readonly #conductor: PlacesRun;
  readonly #options: Pick<ConductorOptions, 'store' | 'onChange'>;
  /** Sites that were refused. */
  readonly #waiting = new Set<string>();
  /** Two sites that accept at once must not both take the last place. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(conductor: PlacesRun, options: Pick<ConductorOptions, 'store' | 'onChange'>) {
    this.#conductor = conductor;
    this.#options = options;
  }

  isWaiting(key: string): boolean {
    return this.#waiting.has(key);
  }
  remove(key: string): void {
    this.#waiting.delete(key);
  }

  /**
   * Records that a member has accepted the plan; again it only counts what the member has given.
   * @param signature of the plan. @param releases which the member has counted. @throws SkeinError FEDERATION_BUSY where no place is left.
   */
  accept(key: string, signature: string, releases = 0): Promise<void> {
    const accepted = this.#last.then(async () => {
      await this.#accept(key, signature);
      await this.#recount(key, releases);
    });
    this.#last = accepted.catch(() => {});
    return accepted;
  }

  async #accept(key: string, signature: string): Promise<void> {
    const { record } = this.#conductor;
    const { id: run, plan, planDigest } = record;
    const { store, onChange } = this.#options;
    const member = await store.member(run, key);
    if (member === undefined || member.accepted !== undefined) return;
    const { role } = member;
    const needsPlace = role === 'site' && !aggregationIn(plan).isOneMessage;
    if (needsPlace && !hasPlace(plan, await store.members(run))) {
      this.#waiting.add(key);
      onChange();
      throw new SkeinError(
        'FEDERATION_BUSY',
        `The federation has its ${plan.sites.maximum} sites: a place becomes free when its operator revokes one.`,
      );
    }
    this.#waiting.delete(key);
    const site = await pseudonymOf(key);
    // The entry first: there is no participant without it.
    if (!isOver(record.state)) {
      await this.#conductor.note({
        kind: 'accepted',
        site,
        key,
        role,
        plan: planDigest,
        signature,
      });
    }
    await store.accept(run, key, { plan: planDigest, signature });
  }

  /** A coordinator that was restored from an older copy has counted less than its sites have given. */
  async #recount(key: string, given: number): Promise<void> {
    const { plan, state } = this.#conductor.record;
    const releases = Math.min(given, mostGiven(plan));
    if (!isPrivate(plan.privacy) || isOver(state) || releases <= state.releases) return;
    const site = await pseudonymOf(key);
    await this.#conductor.note({ kind: 'recounted', site, releases }, { releases });
  }
}

/** The most that a member can have given: a greater number is not a count. */
const mostGiven = ({ rounds }: Plan): number => rounds * MOST_ATTEMPTS;

/** Whether fewer sites have accepted the plan, and were not revoked, than its maximum. */
function hasPlace({ sites }: Pick<Plan, 'sites'>, members: readonly MemberRecord[]): boolean {
  const taken = members.filter(
    ({ role, accepted, revokedAt }) =>
      role === 'site' && accepted !== undefined && revokedAt === undefined,
  );
  return taken.length < sites.maximum;
}
