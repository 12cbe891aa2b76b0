/** Binding of a secure sum: every message is signed over the digest of it. */
import { SkeinError } from '@skein/api/errors';
import type { Bytes } from './crypto/suite.ts';
import { joined, Writer } from './wire/bytes.ts';
import { suite } from './crypto/platform-suite.ts';

/** Version of the messages below `wire/`. */
export const PROTOCOL_VERSION = 2;

/** The most entries of an update. */
const MAX_LENGTH = 2 ** 27;
const MAX_SITES = 10_000;

export interface AggregationContext {
  /** Id of the federation. */
  readonly run: string;
  /** 0, 1, 2, … within the run. */
  readonly round: number;
  /** SHA-256 of the plan that every participant accepted. */
  readonly plan: Bytes;
  /** Ed25519 public keys of the sites. All use one order: the index is the number of the site. */
  readonly roster: readonly Bytes[];
  /** Entries of an update. */
  readonly length: number;
  /** Bits of an entry, 1 to 32: sums are modulo 2^bits, so that n updates must fit. */
  readonly bits: number;
  /** Survivors that a sum has at least, where its noise is shared among so many. Default: the quorum of the roster. */
  readonly fewest?: number;
  /** The share of sites that may be corrupt, in addition to the coordinator. Default: a third. */
  readonly corrupt?: number;
  /**
   * SHA-256 of what the sites train from. A server that sends one site other parameters than the rest could make the
   * updates of the rest zero, so that the sum is the update of that site (Pasquini et al., "Eluding Secure Aggregation in
   * Federated Learning via Model Inconsistency", CCS 2022): masks of sites with different bases do not cancel. Protocol A
   * needs it in exchange 2 only. Default: nothing is bound.
   */
  readonly base?: Bytes;
  /** Protocol A: every two sites share a mask, also above 64 sites. Default: as `graph.ts` derives. */
  readonly complete?: boolean;
}

/** @throws SkeinError AGGREGATION_INVALID; AGGREGATION_ROSTER_FORGED for a repeated identity. */
export function checkContext(context: AggregationContext): void {
  const { run, round, plan, roster, length, bits, base = plan, corrupt = 1 / 3 } = context;
  assertTerms([
    [
      run.length > 0 && run.length <= 200,
      `the name of the run has ${run.length} characters, not 1 to 200`,
    ],
    [
      Number.isInteger(round) && round >= 0 && round < 2 ** 32,
      `round ${round} is not an integer from 0`,
    ],
    [plan.length === 32, `the digest of the plan has ${plan.length} bytes, not 32`],
    [base.length === 32, `the digest of what sites train from has ${base.length} bytes, not 32`],
    [
      roster.length >= 2 && roster.length <= MAX_SITES,
      `${roster.length} sites, not 2 to ${MAX_SITES}`,
    ],
    [roster.every((key) => key.length === 32), 'an identity is not 32 bytes long'],
    [
      Number.isInteger(length) && length > 0 && length <= MAX_LENGTH,
      `an update of ${length} entries, not 1 to ${MAX_LENGTH}`,
    ],
    [Number.isInteger(bits) && bits >= 1 && bits <= 32, `entries of ${bits} bits, not 1 to 32`],
    [corrupt >= 0 && corrupt <= 1 / 3, `a share of ${corrupt} corrupt sites, not 0 to 1/3`],
  ]);
  // One character a byte: a quick name for the key of a set.
  const characters = new TextDecoder('latin1');
  const known = new Set(roster.map((key) => characters.decode(key)));
  if (known.size !== roster.length) {
    throw new SkeinError('AGGREGATION_ROSTER_FORGED', 'The roster names one identity twice.');
  }
}

/** @param terms conditions, each with the message where it does not hold. @throws SkeinError AGGREGATION_INVALID. */
export function assertTerms(terms: readonly (readonly [holds: boolean, message: string])[]): void {
  const broken = terms.find(([holds]) => !holds);
  if (broken === undefined) return;
  throw new SkeinError('AGGREGATION_INVALID', `The terms of the sum are not valid: ${broken[1]}.`);
}

/** Refuses a round that is not after the last one. @throws SkeinError AGGREGATION_PHASE_ANSWERED. */
export function requireNew({ run, round }: AggregationContext, after: number): void {
  if (round > after) return;
  throw new SkeinError(
    'AGGREGATION_PHASE_ANSWERED',
    `Round ${round} of ${run} is asked for again: the last one was ${after}.`,
  );
}

/** SHA-256 over protocol version, run, round, plan, roster, shape and terms; not over `base`, which is known later. */
export async function contextDigest(context: AggregationContext): Promise<Bytes> {
  const { run, round, plan, roster, length, bits, corrupt = 1 / 3, complete = false } = context;
  const rosterDigest = await suite.sha256(joined(roster));
  const name = new TextEncoder().encode(run);
  return suite.sha256(
    new Writer()
      .text('skein secure aggregation')
      .u8(PROTOCOL_VERSION)
      .u32(name.length)
      .raw(name)
      .u32(round)
      .raw(plan)
      .raw(rosterDigest)
      .u32(length)
      .u8(bits)
      .u32(Math.round(corrupt * 2 ** 30))
      .u8(Number(complete))
      .bytes(),
  );
}

/** The number of an identity in the roster. @throws SkeinError AGGREGATION_ROSTER_FORGED. */
export function siteNumber({ roster }: AggregationContext, publicKey: Bytes): number {
  const number = roster.findIndex((key) => key.every((byte, at) => byte === publicKey[at]));
  if (number < 0) {
    throw new SkeinError('AGGREGATION_ROSTER_FORGED', 'The roster does not name this identity.');
  }
  return number;
}
