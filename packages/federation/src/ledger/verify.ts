/**
 * Verifies an exported ledger without a connection. Runs in Node and in the browser.
 *
 * Any edit of a byte is found: the text is the canonical form of its content, each entry is a part
 * of a chain of hashes, and hashes are signed. A coordinator could rewrite entries with its own key, but
 * not where a site has signed.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api/errors';
import { isSignedBy, pseudonymOf } from '../identity/keys.ts';
import { canonical, digestOf } from '@skein/api/canonical';
import { helpersOf } from '../plan/helpers.ts';
import type { Plan } from '../plan/plan.ts';
import { isBudgetSpent, spentAfter } from '../plan/spent.ts';
import { followAttempts } from './attempts.ts';
import { FIRST_PREVIOUS, type LedgerEntry, type LedgerEvent } from './entry.ts';
import { LedgerExport } from './export.ts';
import type { SeenEntry } from './seen.ts';

export interface VerifyOptions {
  /** The key that the coordinator must have, as an invitation names it. Default: any. */
  readonly coordinator?: string | undefined;
  /** The ledger must contain it. */
  readonly seen?: SeenEntry | undefined;
}

export interface VerifiedLedger {
  readonly run: string;
  readonly coordinator: string;
  readonly entries: number;
  readonly rounds: number;
  readonly aborted: number;
  readonly releases: number;
  /** Times of the first and the last entry, by the clock of the coordinator; ISO 8601. */
  readonly from: string;
  readonly to: string;
  /** Entries that are dated before the one before them: the clock was set back, and dates around them mean little. */
  readonly clockSetBack: readonly number[];
  /** Pseudonyms of the sites and helpers whose signatures are in it, with the last entry that each has signed. */
  readonly witnesses: ReadonlyMap<string, number>;
  /** The witnesses that are helpers of the plan. */
  readonly helpers: readonly string[];
}

/** The form of a ledger in a file. */
export function ledgerText(ledger: LedgerExport): string {
  return `${canonical(ledger)}\n`;
}

/** @throws SkeinError LEDGER_INVALID, naming the entry and what is wrong with it. */
export async function verifyLedger(
  text: string,
  options: VerifyOptions = {},
): Promise<VerifiedLedger> {
  const { coordinator, plan, entries, head } = parsed(text);
  if (options.coordinator !== undefined && options.coordinator !== coordinator) {
    refuse('The ledger belongs to another coordinator.');
  }
  const [first] = entries;
  if (first?.event.kind !== 'started' || first.event.plan !== (await digestOf(plan))) {
    refuse('Entry 0 does not begin a federation of this plan.');
  }
  /** Keys of the sites that have accepted, with their pseudonyms. */
  const sites = new Map<string, string>();
  const witnesses = new Map<string, number>();
  const follow = followAttempts(plan);
  let releases = 0;
  const summed: Extract<LedgerEvent, { kind: 'summed' }>[] = [];
  /** The attempt whose sum may be used. */
  let charged: string | undefined;
  let previous = FIRST_PREVIOUS;
  for (const [sequence, entry] of entries.entries()) {
    const flaw = await flawOf(entry, { run: first.run, sequence, previous, coordinator });
    if (flaw !== undefined) refuse(`Entry ${sequence}: ${flaw}.`);
    previous = entry.hash;
    for (const witness of entry.witnesses) {
      const site = sites.get(witness.key);
      const isSigned = await isSignedBy(witness.key, 'witness', witness.hash, witness.signature);
      if (site === undefined || !isSigned || entries[witness.sequence]?.hash !== witness.hash) {
        refuse(`Entry ${sequence}: a signature of a site is not of entry ${witness.sequence}.`);
      }
      witnesses.set(site, witness.sequence);
    }
    const { event } = entry;
    if (event.kind === 'accepted') {
      const accepted = { run: entry.run, plan: event.plan };
      const isSigned = await isSignedBy(event.key, 'accept', accepted, event.signature);
      if (
        !isSigned ||
        event.plan !== first.event.plan ||
        event.site !== (await pseudonymOf(event.key))
      ) {
        refuse(`Entry ${sequence}: the plan was not accepted by this site.`);
      }
      sites.set(event.key, event.site);
    }
    const broken = follow(event);
    if (broken !== undefined) refuse(`Entry ${sequence}: ${broken}.`);
    if (event.kind === 'recounted') releases = Math.max(releases, event.releases);
    if (event.kind === 'charged') {
      releases += 1;
      const wrong = flawOfCharge(plan, event, releases);
      if (wrong !== undefined) refuse(`Entry ${sequence}: ${wrong}.`);
      charged = `${event.round}/${event.attempt}`;
    }
    if (event.kind === 'summed') summed.push(event);
    if (event.kind === 'finished-round' && !areSetsAlike(summed, event)) {
      refuse(`Entry ${sequence}: the helpers summed other sites than the sum has.`);
    }
    if (event.kind === 'finished-round' && plan.privacy.mode !== 'none') {
      if (charged !== `${event.round}/${event.attempt}`) {
        refuse(`Entry ${sequence}: its sum was not charged.`);
      }
    }
  }
  const { signature, ...signed } = head;
  const isWhole = head.entries === entries.length && head.hash === previous;
  if (!isWhole || !(await isSignedBy(coordinator, 'head', signed, signature))) {
    refuse('The last entries are cut off, or the head is not signed by the coordinator.');
  }
  const { seen } = options;
  if (seen !== undefined && entries[seen.sequence]?.hash !== seen.hash) {
    refuse(`Entry ${seen.sequence} is not the one that was seen before.`);
  }
  const countOf = (kind: string): number =>
    entries.filter(({ event }) => event.kind === kind).length;
  const helpers = await Promise.all(helpersOf(plan).map(({ identity }) => pseudonymOf(identity)));
  return {
    run: first.run,
    coordinator,
    entries: entries.length,
    releases,
    from: first.at,
    to: entries.at(-1)!.at,
    clockSetBack: setBack(entries),
    witnesses,
    helpers: helpers.filter((each) => witnesses.has(each)),
    rounds: countOf('finished-round'),
    aborted: countOf('aborted'),
  };
}

/** Clocks are corrected by seconds all the time. */
const SET_BACK_MS = 60_000;

function setBack(entries: readonly Pick<LedgerEntry, 'at' | 'sequence'>[]): number[] {
  const isBefore = (at: string, i: number): boolean =>
    i > 0 && Date.parse(at) < Date.parse(entries[i - 1]!.at) - SET_BACK_MS;
  return entries.filter(({ at }, i) => isBefore(at, i)).map(({ sequence }) => sequence);
}

/** Whether each helper summed one list, of as many sites as are in the sum; ledgers of before have no such entries. */
function areSetsAlike(
  summed: readonly Extract<LedgerEvent, { kind: 'summed' }>[],
  { round, attempt, survivors }: Extract<LedgerEvent, { kind: 'finished-round' }>,
): boolean {
  const own = summed.filter((each) => each.round === round && each.attempt === attempt);
  return own.every(({ sites, list }) => sites === survivors.length && list === own[0]!.list);
}

/**
 * An ε may be above what this version computes: accountants become tighter, and ledgers are kept for years.
 */
function flawOfCharge(
  plan: Plan,
  { releases, clip, noise, delta, spent }: Extract<LedgerEvent, { kind: 'charged' }>,
  expected: number,
): string | undefined {
  const { privacy } = plan;
  if (releases !== expected) return 'a release is missing';
  const isOfPlan =
    privacy.mode !== 'none' &&
    noise === privacy.noise &&
    clip === privacy.clip &&
    delta === privacy.delta;
  if (!isOfPlan) return "it is charged by other terms than the plan's";
  const found = spentAfter(plan, releases);
  const isEnough =
    spent.length === found.length &&
    found.every(
      ({ colluding, epsilon }, i) =>
        spent[i]!.colluding === colluding &&
        (spent[i]!.epsilon ?? Infinity) >= epsilon * (1 - 1e-6),
    );
  if (!isEnough) return 'it names less than what the releases have spent';
  return isBudgetSpent(plan, releases - 1)
    ? 'it spends more than the budget of the plan'
    : undefined;
}

async function flawOf(
  { hash, signature, ...content }: LedgerEntry,
  expected: Pick<LedgerEntry, 'run' | 'sequence' | 'previous'> & { readonly coordinator: string },
): Promise<string | undefined> {
  const { run, sequence, previous, coordinator } = expected;
  if (content.run !== run) return 'it belongs to another federation';
  if (content.sequence !== sequence) return `it has the number ${content.sequence}`;
  if (content.previous !== previous) return 'it does not follow the entry before';
  if ((await digestOf(content)) !== hash) return 'its content does not have its hash';
  if (!(await isSignedBy(coordinator, 'entry', hash, signature))) {
    return 'its signature is not of the coordinator';
  }
  return undefined;
}

function parsed(text: string): LedgerExport {
  let value: unknown;
  try {
    value = readJson(text, JSON_BOUNDS.stored);
  } catch {
    refuse('The file is not JSON.');
  }
  const result = LedgerExport.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    refuse(`${issue?.path.join('.') || 'The file'}: ${issue?.message ?? 'is invalid'}.`);
  }
  if (ledgerText(result.data) !== text)
    refuse('The file is not in the form in which it was exported.');
  return result.data;
}

function refuse(reason: string): never {
  throw new SkeinError('LEDGER_INVALID', reason);
}
