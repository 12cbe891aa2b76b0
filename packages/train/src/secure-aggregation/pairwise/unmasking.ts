/** Finds the masks of a sum of masked updates from the shares that the survivors revealed: the last step of protocol A. */
import { SkeinError } from '@skein/api/errors';
import type { Bytes } from '../crypto/suite.ts';
import { sameBytes } from '../wire/bytes.ts';
import type { Graph } from './graph.ts';
import type { Keys, RevealedShares, SealedEntries, Shares } from './messages.ts';
import {
  commitment,
  keyMatches,
  maskSign,
  ownMaskKey,
  pairMaskKey,
  rebuild,
  seedDigest,
  type SecretKind,
} from './secrets.ts';

export interface Liar {
  readonly site: number;
  /** The site whose secret the bad share was of: its own where it dealt shares of another secret. */
  readonly owner: number;
}

export interface Revealed {
  readonly digest: Bytes;
  /** Result of `maskBinding`. */
  readonly binding: Bytes;
  readonly graph: Graph;
  readonly keys: ReadonlyMap<number, Keys>;
  readonly shares: ReadonlyMap<number, Shares & { readonly entries: SealedEntries }>;
  /** Sites that dealt shares; `survivors` are the ones whose updates are in the sum. */
  readonly sharing: readonly number[];
  readonly survivors: readonly number[];
  /** By the site that revealed. */
  readonly reveals: ReadonlyMap<number, RevealedShares>;
  /** Sites that are found to lie are added to it. */
  readonly liars: Liar[];
}

/** AES keys whose keystreams, added to a sum or subtracted, leave the sum of the updates. */
export interface MaskKeys {
  readonly add: readonly Bytes[];
  readonly subtract: readonly Bytes[];
}

/** @throws SkeinError AGGREGATION_TOO_FEW, AGGREGATION_SHARE_BAD. */
export async function maskKeys(revealed: Revealed): Promise<MaskKeys> {
  const { digest, binding, graph, keys, shares, sharing } = revealed;
  const survivors = new Set(revealed.survivors);
  const add: Bytes[] = [];
  const subtract: Bytes[] = [];
  for (const owner of sharing) {
    if (survivors.has(owner)) {
      const announced = shares.get(owner)!.seedDigest;
      const isRight = async (seed: Bytes) => sameBytes(await seedDigest(digest, seed), announced);
      subtract.push(await ownMaskKey(digest, await rebuilt(owner, 'seed', revealed, isRight)));
      continue;
    }
    const peers = graph.neighbours(owner).filter((peer) => survivors.has(peer));
    // Its masks are with survivors only; without one there is nothing to remove.
    if (peers.length === 0) continue;
    const isRight = (key: Bytes) => keyMatches(key, keys.get(owner)!.masking);
    const secret = await rebuilt(owner, 'masking', revealed, isRight);
    for (const peer of peers) {
      const key = await pairMaskKey(binding, secret, keys.get(peer)!.masking);
      (maskSign(peer, owner) === 1 ? subtract : add).push(key);
    }
  }
  return { add, subtract };
}

/** A secret of a site from the shares that others revealed. */
async function rebuilt(
  owner: number,
  kind: SecretKind,
  revealed: Revealed,
  isRight: (secret: Bytes) => boolean | Promise<boolean>,
): Promise<Bytes> {
  const good = await sharesOf(owner, kind, revealed);
  try {
    return await rebuild(owner, good, isRight);
  } catch (error) {
    revealed.liars.push({ site: owner, owner });
    throw error;
  }
}

/** Enough shares of a secret to rebuild it, each the committed one. */
async function sharesOf(
  owner: number,
  kind: SecretKind,
  { digest, graph, shares, reveals, liars }: Revealed,
): Promise<Bytes[]> {
  const { entries, ownCommitment } = shares.get(owner)!;
  const good: Bytes[] = [];
  for (const { holder, expected } of committed()) {
    const share = reveals.get(holder)?.get(owner);
    if (share === undefined) continue;
    const found = await commitment({ digest, owner, holder, kind }, share);
    if (sameBytes(found, expected)) good.push(share);
    else liars.push({ site: holder, owner });
    if (good.length === graph.threshold) return good;
  }
  function* committed() {
    for (const { peer, commitments } of entries) {
      yield { holder: peer, expected: commitments[kind === 'masking' ? 0 : 1] };
    }
    if (kind === 'seed') yield { holder: owner, expected: ownCommitment };
  }
  const named = liars.filter((liar) => liar.owner === owner).map(({ site }) => site);
  throw new SkeinError(
    named.length > 0 ? 'AGGREGATION_SHARE_BAD' : 'AGGREGATION_TOO_FEW',
    `${good.length} shares of a secret of site ${owner} were revealed; ${graph.threshold} rebuild it.` +
      (named.length > 0 ? ` Shares of sites ${named.join(', ')} are not the committed ones.` : ''),
  );
}
