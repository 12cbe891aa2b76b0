/**
 * Binding of a sum of protocol B: as in protocol A, and the leader, the helpers and the minimum.
 *
 * Protocol B follows e-SeaFL (ACSAC 2024): a client sends one message and may vanish; a committee of
 * helpers holds the masks and sees no update; the leader sees masked updates and no mask.
 * docs/decisions/0028 has the security argument.
 */
import { assertTerms, checkContext, contextDigest, type AggregationContext } from '../context.ts';
import type { Bytes } from '../crypto/suite.ts';
import { Writer } from '../wire/bytes.ts';
import { suite } from '../crypto/platform-suite.ts';

export interface HelperKeys {
  /** Ed25519. */
  readonly identity: Bytes;
  /** X25519, to which clients seal their seeds. */
  readonly sealing: Bytes;
}

export interface CommitteeContext extends AggregationContext {
  /** Ed25519 public key of the leader. */
  readonly leader: Bytes;
  /** Two to eight of them; three, as a rule. A sum is private while one is honest, and lost with any. */
  readonly helpers: readonly HelperKeys[];
  /** The fewest clients of a sum, at least 2. */
  readonly minimum: number;
}

/** @throws SkeinError AGGREGATION_INVALID, AGGREGATION_ROSTER_FORGED. */
export function checkCommittee(context: CommitteeContext): void {
  checkContext(context);
  const { roster, leader, helpers, minimum } = context;
  const keys = [leader, ...helpers.flatMap(({ identity, sealing }) => [identity, sealing])];
  assertTerms([
    [helpers.length >= 2 && helpers.length <= 8, `${helpers.length} helpers, not 2 to 8`],
    [keys.every((key) => key.length === 32), 'a key of the committee is not 32 bytes long'],
    [new Set(keys.map(String)).size === keys.length, 'the committee uses one key twice'],
    [
      Number.isInteger(minimum) && minimum >= 2 && minimum <= roster.length,
      `a minimum of ${minimum} clients, not 2 to ${roster.length}`,
    ],
  ]);
}

export async function committeeDigest(context: CommitteeContext): Promise<Bytes> {
  const { leader, helpers, minimum, base = new Uint8Array(0) } = context;
  const writer = new Writer()
    .text('committee')
    .raw(await contextDigest(context))
    .raw(leader)
    .u32(minimum)
    .u8(base.length)
    .raw(base)
    .u8(helpers.length);
  for (const { identity, sealing } of helpers) writer.raw(identity).raw(sealing);
  return suite.sha256(writer.bytes());
}
