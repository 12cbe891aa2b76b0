/**
 * The terms that bind a sum of a plan with a committee, as the coordinator, sites and helpers derive them.
 * Runs in Node and in the browser.
 *
 * The roster of an attempt comes first in what they are sent: its keys, 32 bytes each.
 */
import { fromHex } from '@skein/api/canonical';
import { residueBits, residueCount, type SumEncoding } from '@skein/train/federated';
import type { CommitteeContext } from '@skein/train/secure-aggregation';
import { type Place, protocolError } from '../transport/messages.ts';
import { sumNumber } from './encoding.ts';
import { helpersOf } from './helpers.ts';
import type { Plan } from './plan.ts';

type Bytes = Uint8Array<ArrayBuffer>;
const KEY = 32;

export interface CommitteeTerms {
  readonly run: string;
  readonly plan: Plan;
  readonly planDigest: string;
  /** The coordinator's public key, in hex. */
  readonly coordinator: string;
  readonly encoding: SumEncoding;
  /** SHA-256 of what sites train from. */
  readonly base: Bytes;
}

export function committeeContext(
  { run, plan, planDigest, coordinator, encoding, base }: CommitteeTerms,
  { round, attempt }: Omit<Place, 'phase'>,
  roster: readonly Bytes[],
): CommitteeContext {
  return {
    run,
    round: sumNumber(round, attempt),
    plan: fromHex(planDigest),
    base,
    roster,
    length: residueCount(encoding),
    bits: residueBits(encoding),
    leader: fromHex(coordinator),
    helpers: helpersOf(plan).map(({ identity, sealing }) => ({
      identity: fromHex(identity),
      sealing: fromHex(sealing),
    })),
    minimum: plan.sites.threshold,
  };
}

/**
 * Splits a payload into the roster and what follows it.
 * @param count of keys, from the task.
 * @throws SkeinError FEDERATION_PROTOCOL for a count below the plan's threshold, or above its maximum.
 */
export function splitRoster(
  { sites }: Plan,
  payload: Bytes,
  count: unknown,
): { readonly roster: readonly Bytes[]; readonly rest: Bytes } {
  const isCount =
    typeof count === 'number' &&
    Number.isInteger(count) &&
    count >= sites.threshold &&
    count <= sites.maximum &&
    count * KEY <= payload.length;
  if (!isCount) {
    throw protocolError(
      `The roster is not of ${sites.threshold} to ${sites.maximum} sites, as the plan asks for.`,
    );
  }
  const keyAt = (at: number): Bytes => payload.slice(at * KEY, (at + 1) * KEY);
  const roster = Array.from({ length: count }, (_, at) => keyAt(at));
  return { roster, rest: payload.slice(count * KEY) };
}
