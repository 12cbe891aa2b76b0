/**
 * Checks that a quorum signed one list of survivors. Two lists cannot both have a quorum, since an
 * honest site signs one list and two quorums share an honest site.
 */
import { SkeinError } from '@skein/api/errors';
import type { AggregationContext } from '../context.ts';
import type { Bytes } from '../crypto/suite.ts';
import { leastSites } from '../graph.ts';
import { sameBytes } from '../wire/bytes.ts';
import { openEnvelope, readEnvelope } from '../wire/envelope.ts';
import { readConfirmation, readSurvivors } from './messages.ts';
import { suite } from '../crypto/platform-suite.ts';

/**
 * @param survivors the list that this site signed.
 * @throws SkeinError AGGREGATION_SURVIVORS_SPLIT for a valid signature of another list;
 *   AGGREGATION_TOO_FEW; AGGREGATION_INVALID.
 */
export async function confirmed(
  confirmation: Uint8Array,
  context: AggregationContext,
  digest: Bytes,
  survivors: Bytes,
): Promise<void> {
  const { messages } = readConfirmation(confirmation, context.roster.length);
  const binding = { digest, phase: 'consistency' } as const;
  const list = readSurvivors(survivors, context);
  const expected = await suite.sha256(survivors);
  const isOther = (message: Bytes): boolean =>
    !sameBytes(readEnvelope(message, binding).body, expected);
  const isSigned = (message: Bytes): Promise<boolean> =>
    openEnvelope(message, binding, context.roster).then(
      () => true,
      () => false,
    );
  const least = leastSites(context);
  const signers = new Set<number>();
  // Signatures of another list first: one valid signature among them proves a split view.
  for (const message of messages.toSorted((a, b) => Number(isOther(b)) - Number(isOther(a)))) {
    const { sender } = readEnvelope(message, binding);
    const other = isOther(message);
    if (!other && (signers.size >= least || signers.has(sender) || !list.has(sender))) continue;
    if (!(await isSigned(message))) continue;
    if (other) {
      throw new SkeinError(
        'AGGREGATION_SURVIVORS_SPLIT',
        `Site ${sender} signed another list of survivors than this site was given.`,
      );
    }
    signers.add(sender);
  }
  if (signers.size >= least) return;
  throw new SkeinError(
    'AGGREGATION_TOO_FEW',
    `Only ${signers.size} sites signed the list of survivors; the round needs ${least}.`,
  );
}
