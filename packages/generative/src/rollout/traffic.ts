/**
 * The rollouts of a process: which share of the requests goes to the new route of a model, and what
 * was seen of the new and of the replaced route. It outlives the gateways, which are opened anew when
 * other declarations change.
 *
 * A caller with a sticky key stays on its side while the share grows.
 */
import type { LanguageRoute, RouteName } from '@skein/api';
import {
  BUCKETS,
  bucketOf,
  countsSince,
  digestOf,
  NOTHING,
  stickyPosition,
  type Counts,
  type RolloutWindow,
} from '@skein/serving/rollout-policy';
import type { RouteOutcome } from './outcome.ts';

/** A rollout as its operator's node has stored it. */
export interface RouteRollout {
  readonly id: string;
  readonly model: string;
  readonly candidate: LanguageRoute;
  readonly replaces: RouteName;
  readonly step: number;
  /** Share of the requests, 0 to 1, that the candidate answers. */
  readonly share: number;
  /** Share of the requests, 0 to 1, that are copied to the candidate. */
  readonly copied: number;
}

export type RolloutSide = 'candidate' | 'stable';

export interface Copies {
  readonly sent: number;
  /** For want of a place or of budget. */
  readonly skipped: number;
  readonly nanoDollars: number;
}

/** This process's observations of a rollout. */
export interface RouteWindow extends RolloutWindow {
  readonly copies: Copies;
}

export interface FollowedRollout extends RouteRollout {
  /** Whether the candidate answers this request. @param random in [0, 1). */
  takes(stickyKey: string | undefined, random: number): boolean;
  note(side: RolloutSide, outcome: RouteOutcome, ttftMs: number | undefined): void;
  /** @param nanoDollars absent: it was not sent. */
  noteCopy(nanoDollars: number | undefined): void;
  window(): RouteWindow;
  /** Since the rollout began, in every step. */
  totals(): Readonly<Record<RolloutSide, Counts>>;
}

export interface RolloutTraffic {
  /** Replaces what is followed; counts stay for a rollout of the same id. */
  follow(rollouts: readonly RouteRollout[]): void;
  of(model: string): FollowedRollout | undefined;
  all(): readonly FollowedRollout[];
}

export function createRolloutTraffic(): RolloutTraffic {
  let followed = new Map<
    string,
    { readonly rollout: FollowedRollout; set(to: RouteRollout): void }
  >();
  return {
    follow(rollouts) {
      const next: typeof followed = new Map();
      for (const each of rollouts) {
        const known = followed.get(each.model);
        const same = known?.rollout.id === each.id ? known : followRollout(each);
        same.set(each);
        next.set(each.model, same);
      }
      followed = next;
    },
    of: (model) => followed.get(model)?.rollout,
    all: () => [...followed.values()].map(({ rollout }) => rollout),
  };
}

function followRollout(first: RouteRollout) {
  let current = first;
  const totals: Record<RolloutSide, Counts> = { candidate: NOTHING, stable: NOTHING };
  const latency = { candidate: new Uint32Array(BUCKETS), stable: new Uint32Array(BUCKETS) };
  let copies: Copies = { sent: 0, skipped: 0, nanoDollars: 0 };
  /** The candidate's counts when the step began. */
  let before = NOTHING;
  const rollout: FollowedRollout = {
    id: first.id,
    model: first.model,
    candidate: first.candidate,
    replaces: first.replaces,
    get step() {
      return current.step;
    },
    get share() {
      return current.share;
    },
    get copied() {
      return current.copied;
    },
    takes(stickyKey, random) {
      const at = stickyKey === undefined ? random : stickyPosition(stickyKey, first.id);
      return at < current.share;
    },
    note(side, outcome, ttftMs) {
      const { requests, errors, late, odd } = totals[side];
      totals[side] = {
        requests: requests + 1,
        errors: errors + (outcome === 'failed' ? 1 : 0),
        late: late + (outcome === 'late' ? 1 : 0),
        odd,
      };
      if (ttftMs !== undefined) latency[side][bucketOf(ttftMs)]! += 1;
    },
    noteCopy(nanoDollars) {
      copies =
        nanoDollars === undefined
          ? { ...copies, skipped: copies.skipped + 1 }
          : { ...copies, sent: copies.sent + 1, nanoDollars: copies.nanoDollars + nanoDollars };
    },
    window: () => ({
      step: current.step,
      candidate: countsSince(totals.candidate, before),
      stable: totals.stable,
      latency: { candidate: digestOf(latency.candidate), stable: digestOf(latency.stable) },
      copies,
    }),
    totals: () => totals,
  };
  return {
    rollout,
    set(to: RouteRollout): void {
      if (to.step !== current.step) {
        before = totals.candidate;
        latency.candidate.fill(0);
      }
      current = to;
    },
  };
}
