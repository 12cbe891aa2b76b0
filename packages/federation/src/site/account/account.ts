/**
 * The privacy that a site has spent over all its federations. Each ledger counts alone, but a row that is in several is
 * hidden by the noise of all of them together.
 *
 * The loss of plans is composed, never their ε. It is counted for one row, and for all rows of the site:
 *
 * | plan hides | for one row | for the whole site |
 * |---|---|---|
 * | a row | as it is | no bound |
 * | a site | the row may replace the update by another one: twice the norm | as it is |
 * | nothing | no bound | no bound |
 *
 * Until a plan is closed all that it allows counts as spent, so that no two of them exceed a limit together.
 */
import { epsilonOf, filteredEpsilon, type Mechanism, type PrivacyLimit } from '@skein/train';
import { mechanismOf } from '../../plan/complete.ts';
import { isPrivate, privacyIn, samplingIn } from '../../plan/kinds/choices.ts';
import type { Plan } from '../../plan/plan.ts';

/** The unit that is hidden: any one row, or all rows of this site together. */
export const UNITS = ['row', 'site'] as const;
export type Unit = (typeof UNITS)[number];

export interface AccountLimit extends PrivacyLimit {
  readonly unit: Unit;
}

/** A federation in which the rows of an account take part. */
export interface Participation {
  readonly run: string;
  readonly name: string;
  /** sha-256 of the plan, in hex. */
  readonly planDigest: string;
  readonly privacy: Plan['privacy'];
  /** Releases that were charged. */
  readonly releases: number;
  /** Releases that its plan allows. */
  readonly most: number;
  /** Whether more may follow. */
  readonly open: boolean;
  /** When it was accepted, in ISO 8601. */
  readonly since: string;
}

/** ε; null: there is no bound. */
export interface Counted {
  readonly spent: number | null;
  /** With all that open federations may still spend. */
  readonly committed: number | null;
}

export interface AccountReport {
  readonly account: string;
  readonly limit?: AccountLimit | undefined;
  /** The δ of the numbers: the limit's, else the smallest of the plans; absent where no plan has one. */
  readonly delta?: number | undefined;
  readonly row: Counted;
  readonly site: Counted;
  readonly federations: readonly (Omit<Participation, 'privacy'> & {
    readonly hides: Unit | 'nothing';
    /** The ε that this federation alone has spent, for the unit that it hides, at the δ of the account. */
    readonly epsilon: number | null;
  })[];
}

type Count = 'spent' | 'committed';
const COUNTS: Readonly<Record<Count, (of: Participation) => number>> = {
  spent: ({ releases }) => releases,
  committed: ({ releases, most, open }) => (open ? most : releases),
};

/** Undefined: nothing bounds the loss of the releases. */
function mechanismFor(
  unit: Unit,
  { privacy }: Participation,
  releases: number,
): Mechanism | undefined {
  if (!isPrivate(privacy)) return undefined;
  const { hides } = privacyIn({ privacy });
  if (hides === unit) return mechanismOf(privacy, releases);
  if (hides === 'row') return undefined;
  const { noise, sampling } = privacy;
  // Two updates, each within the norm. The bound for fixed-size samples asks only with which probability the site is in one.
  const { rate } = samplingIn(sampling);
  return { kind: 'discrete', noise, sampling: { kind: 'fixed', rate }, steps: releases };
}

/** In the order in which they were accepted; undefined: no bound. */
function mechanisms(
  all: readonly Participation[],
  unit: Unit,
  count: Count,
): readonly Mechanism[] | undefined {
  const found: Mechanism[] = [];
  for (const each of all) {
    const releases = COUNTS[count](each);
    if (releases === 0) continue;
    const mechanism = mechanismFor(unit, each, releases);
    if (mechanism === undefined) return undefined;
    found.push(mechanism);
  }
  return found;
}

function composed(
  all: readonly Participation[],
  unit: Unit,
  count: Count,
  delta: number | undefined,
): number | null {
  const found = mechanisms(all, unit, count);
  if (found === undefined) return null;
  if (found.length === 0) return 0;
  return finite(epsilonOf(found, delta!).epsilon);
}

const finite = (epsilon: number): number | null => (Number.isFinite(epsilon) ? epsilon : null);

/** @param all in the order in which they were accepted. */
export function reportOf(
  account: string,
  all: readonly Participation[],
  limit: AccountLimit | undefined,
): AccountReport {
  const deltas = all.flatMap(({ privacy }) => (isPrivate(privacy) ? [privacy.delta] : []));
  const delta = limit?.delta ?? (deltas.length === 0 ? undefined : Math.min(...deltas));
  const counted = (unit: Unit): Counted => ({
    spent: composed(all, unit, 'spent', delta),
    committed: composed(all, unit, 'committed', delta),
  });
  return {
    account,
    limit,
    delta,
    row: counted('row'),
    site: counted('site'),
    federations: all.map(({ privacy, ...each }) => {
      const unit = privacyIn({ privacy }).hides;
      const alone = [{ ...each, privacy }];
      const epsilon = composed(alone, unit === 'nothing' ? 'row' : unit, 'spent', delta);
      return { ...each, hides: unit, epsilon };
    }),
  };
}

/** Rounding of a sum in another order. */
const SLACK = 1e-9;

/** The ε that counts against a limit (see `filteredEpsilon`), if it exceeds it; infinite where nothing is bounded. */
export function excessOf(
  all: readonly Participation[],
  limit: AccountLimit,
  count: Count,
): number | undefined {
  const found = mechanisms(all, limit.unit, count);
  const reached = found === undefined ? Infinity : filteredEpsilon(found, limit);
  return reached <= limit.epsilon * (1 + SLACK) ? undefined : reached;
}

/** Why the limit of an account forbids its federations; undefined: it does not. */
export function refusalOf(
  all: readonly Participation[],
  limit: AccountLimit | undefined,
): string | undefined {
  if (limit === undefined) return undefined;
  const { unit, epsilon, delta } = limit;
  const excess = excessOf(all, limit, 'committed');
  if (excess === undefined) return undefined;
  const what = unit === 'row' ? 'any one row' : 'all rows of this site';
  const bound =
    excess === Infinity
      ? `nothing would bound the loss of privacy for ${what}`
      : `ε could reach ${excess.toPrecision(3)} for ${what}`;
  return `over all federations ${bound}, and the limit of the account is ${epsilon} at δ = ${delta}`;
}
