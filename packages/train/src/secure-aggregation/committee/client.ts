/** A client's side of protocol B: one message, after which it may vanish. */
import { siteNumber } from '../context.ts';
import { requireNew } from '../context.ts';
import { randomBytes, type Bytes, type Signer } from '../crypto/suite.ts';
import { packAll } from '../packing.ts';
import { chunkDigests, type LaterInput, maskable, type MaskedUpdate } from '../upload.ts';
import { signEnvelope } from '../wire/envelope.ts';
import { checkCommittee, committeeDigest, type CommitteeContext } from './context.ts';

import { writeClientHead } from './messages.ts';
import { sealSeeds } from './seeds.ts';
import { suite } from '../crypto/platform-suite.ts';

/**
 * Masks an update, and seals to each helper the seed of its mask.
 *
 * @param input entries of `bits` bits; not changed. A function is called once nothing can be refused any more.
 * @param after the last round that this identity answered in this run; -1: none. The caller stores the
 *   new one and the message before it sends the message.
 * @throws SkeinError AGGREGATION_PHASE_ANSWERED, AGGREGATION_INVALID, AGGREGATION_ROSTER_FORGED.
 */
export async function sealUpdate(
  context: CommitteeContext,
  signer: Signer,
  input: LaterInput,
  { after }: { readonly after: number },
): Promise<MaskedUpdate> {
  checkCommittee(context);
  requireNew(context, after);
  const digest = await committeeDigest(context);
  const client = siteNumber(context, signer.publicKey);
  const keys: Bytes[] = context.helpers.map(() => randomBytes(16));
  const seeds = await sealSeeds(digest, client, context.helpers, keys);
  const masked = await maskable(input, context);
  await suite.addKeystreams(masked, keys, 1);
  const chunks = packAll(masked, context.bits);
  const body = writeClientHead(seeds, await chunkDigests(chunks));
  return {
    head: await signEnvelope({ digest, phase: 'sealedInput', sender: client, body }, signer),
    chunks,
  };
}
