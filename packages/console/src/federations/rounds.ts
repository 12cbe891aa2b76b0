/** The rounds of a federation, read from its ledger, and the sites that they wait for. */
import type { FederationLedger, FederationView } from '@skein/api';
import { isOver } from '@skein/api/federations';
import type { ChartLine } from '@skein/ui';

export type Entry = FederationLedger['entries'][number];

export interface Round {
  /** From 1. */
  readonly number: number;
  readonly state: 'under way' | 'done';
  /** Sites that were asked, and those whose update is in the sum. */
  readonly asked: number;
  readonly summed: number | undefined;
  /** Why attempts of it were aborted. */
  readonly aborts: readonly string[];
  /** Duration of the last attempt, until it was done, in milliseconds. */
  readonly tookMs: number | undefined;
  /** After it, against each number of colluding sites; empty without differential privacy. */
  readonly spent: readonly Spent[];
}

interface Spent {
  readonly colluding: number;
  readonly epsilon: number | null;
}

/** The fields that are read of an event; its kind decides which of them it has. */
interface Event {
  readonly kind: string;
  readonly round?: number;
  readonly roster?: readonly string[];
  readonly survivors?: readonly string[];
  readonly by?: string;
  readonly sites?: readonly string[];
  readonly reason?: string;
  readonly spent?: readonly Spent[];
}

/** @returns in the order of rounds. */
export function roundsOf(entries: readonly Entry[]): Round[] {
  const rounds = new Map<number, Round & { readonly openedAt: string }>();
  for (const { at, event } of entries) {
    const { kind, round, roster, survivors, reason = '', spent = [] } = event as Event;
    if (round === undefined) continue;
    const known = rounds.get(round) ?? {
      number: round + 1,
      state: 'under way',
      asked: 0,
      summed: undefined,
      aborts: [],
      tookMs: undefined,
      spent: [],
      openedAt: at,
    };
    const changes: Readonly<Record<string, Partial<typeof known>>> = {
      opened: { asked: roster?.length ?? 0, openedAt: at },
      charged: { spent },
      aborted: { aborts: [...known.aborts, reason] },
      'finished-round': {
        state: 'done',
        summed: survivors?.length ?? 0,
        tookMs: Date.parse(at) - Date.parse(known.openedAt),
      },
    };
    rounds.set(round, { ...known, ...changes[kind] });
  }
  return [...rounds.values()].map(({ openedAt: _at, ...round }) => round);
}

/** A site that gave false shares of its secrets. */
export interface Accused {
  /** The number of sites that report it. */
  readonly by: number;
  /** Whether the coordinator has found it, which no site can feign. */
  readonly found: boolean;
}

/** @returns by pseudonym. */
export function accusedIn(entries: readonly Entry[]): ReadonlyMap<string, Accused> {
  const accusers = new Map<string, Set<string | undefined>>();
  for (const { event } of entries) {
    const { kind, by, sites = [] } = event as Event;
    if (kind !== 'accused') continue;
    for (const site of sites) accusers.set(site, (accusers.get(site) ?? new Set()).add(by));
  }
  return new Map(
    [...accusers].map(([site, all]) => {
      const found = all.has(undefined);
      return [site, { found, by: all.size - Number(found) }];
    }),
  );
}

export function accusationText({ by, found }: Accused): string {
  if (found) return 'gave false shares of its secrets';
  return `accused of false shares by ${by === 1 ? 'one site' : `${by} sites`}`;
}

/** ε after each round, one line for each number of colluding sites, or helpers. */
export function spentLines(
  rounds: readonly Round[],
  colluders: 'sites' | 'helpers' = 'sites',
): ChartLine[] {
  const counted = (count: number): string =>
    colluders === 'sites' ? `${count}` : `${count} ${count === 1 ? 'helper' : 'helpers'}`;
  const assumptions = new Set(rounds.flatMap(({ spent }) => spent.map((each) => each.colluding)));
  return [...assumptions].map((colluding, index) => ({
    label: colluding === 0 ? 'ε spent' : `ε with ${counted(colluding)} colluding`,
    colour: index === 0 ? 'first' : 'second',
    points: [
      [0, 0],
      ...rounds.flatMap(({ number, spent }) => {
        const found = spent.find((each) => each.colluding === colluding);
        return found === undefined ? [] : [[number, found.epsilon] as const];
      }),
    ],
  }));
}

/** The parties that a federation waits for before its first round. */
export function waitingFor({ plan, sites }: Pick<FederationView, 'plan' | 'sites'>): string {
  const here = (role: string): number =>
    sites.filter((member) => member.role === role && member.connected).length;
  const needed = [
    ['site', plan.sites.minimum],
    ['helper', plan.aggregation.helpers?.length ?? 0],
  ] as const;
  const missing = needed
    .filter(([role, count]) => here(role) < count)
    .map(([role, count]) => `${role}s (${here(role)} of ${count} are connected)`);
  return missing.length === 0
    ? 'No round has begun.'
    : `No round has begun: it waits for ${missing.join(' and ')}.`;
}

/** Sites that have accepted the plan; after the end every connection has ended too. */
export function connectedOf({ sites, status }: Pick<FederationView, 'sites' | 'status'>): string {
  const all = sites.filter(({ role, revokedAt }) => role === 'site' && revokedAt === undefined);
  const joined = all.filter(({ accepted }) => accepted);
  if (isOver({ status })) return String(joined.length);
  const connected = joined.filter((site) => site.connected).length;
  const waiting = all.filter((site) => site.waiting).length;
  const refused = waiting === 0 ? '' : `, ${waiting} more than its maximum`;
  return `${connected} of ${joined.length} connected${refused}`;
}
