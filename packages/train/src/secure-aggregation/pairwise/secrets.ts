/** The two secrets of a site, their shares, and what is derived from them. */
import { combine, split } from 'shamir-secret-sharing';
import { SkeinError } from '@skein/api/errors';
import type { Bytes } from '../crypto/suite.ts';
import { sameBytes, Writer } from '../wire/bytes.ts';
import { suite } from '../crypto/platform-suite.ts';

/** Bytes of a share: of a secret of 32, and its coordinate. */
export const SHARE = 33;
/** A second share with the same commitment takes 2^128 tries; a dealer gains nothing by two. */
export const COMMITMENT = 16;

/** `masking`: its X25519 key, rebuilt when the site drops out. `seed`: of its own mask, rebuilt when it survives. */
export type SecretKind = 'masking' | 'seed';

/** Splits so that `threshold` shares rebuild the secret and fewer reveal nothing of it. */
export async function dealShares(
  secret: Bytes,
  count: number,
  threshold: number,
): Promise<Bytes[]> {
  return (await split(secret, count, threshold)) as Bytes[];
}

export interface ShareName {
  /** Result of `contextDigest`. */
  readonly digest: Bytes;
  readonly owner: number;
  readonly holder: number;
  readonly kind: SecretKind;
}

/** Binds an owner and a holder to a share; hides it, since a share has 256 random bits. */
export async function commitment(
  { digest, owner, holder, kind }: ShareName,
  share: Bytes,
): Promise<Bytes> {
  const named = new Writer().text(`share of ${kind}`).raw(digest).u16(owner).u16(holder).raw(share);
  return (await suite.sha256(named.bytes())).slice(0, COMMITMENT);
}

/**
 * Rebuilds a secret from shares that are the committed ones.
 * @throws SkeinError AGGREGATION_SHARE_BAD, naming the owner, who dealt shares of no one secret.
 */
export async function rebuild(
  owner: number,
  shares: readonly Bytes[],
  isRight: (secret: Bytes) => boolean | Promise<boolean>,
): Promise<Bytes> {
  const coordinates = new Set(shares.map((share) => share[SHARE - 1]));
  // A coordinate of zero, or two equal ones, would make the interpolation fail.
  if (coordinates.size === shares.length && !coordinates.has(0)) {
    const secret = (await combine(shares as Bytes[])) as Bytes;
    if (await isRight(secret)) return secret;
  }
  throw new SkeinError(
    'AGGREGATION_SHARE_BAD',
    `Site ${owner} dealt shares that rebuild another secret than the one it announced.`,
  );
}

export async function seedDigest(digest: Bytes, seed: Bytes): Promise<Bytes> {
  return suite.sha256(new Writer().text('seed').raw(digest).raw(seed).bytes());
}

/** Binding of pairwise masks: the round, and the parameters that the sites train from. */
export async function maskBinding(
  digest: Bytes,
  { base }: { readonly base?: Bytes },
): Promise<Bytes> {
  if (base === undefined) return digest;
  return suite.sha256(new Writer().text('trained from').raw(digest).raw(base).bytes());
}

/** AES key of the mask between two sites: the same at both. @param binding of `maskBinding`. */
export async function pairMaskKey(binding: Bytes, secret: Bytes, peer: Bytes): Promise<Bytes> {
  const info = new Writer().text('pair mask').raw(binding).bytes();
  return suite.derive(await suite.agree(secret, peer), info, 16);
}

/** AES key of a site's own mask. */
export async function ownMaskKey(digest: Bytes, seed: Bytes): Promise<Bytes> {
  return suite.derive(seed, new Writer().text('own mask').raw(digest).bytes(), 16);
}

/** AES key for the shares of one site for another, from their agreed secret; the two directions differ. */
export async function sealingKey(
  { digest, owner, holder }: Omit<ShareName, 'kind'>,
  agreed: Bytes,
): Promise<Bytes> {
  const info = new Writer().text('shares').raw(digest).u16(owner).u16(holder).bytes();
  return suite.derive(agreed, info, 16);
}

/** Whether a site adds the mask that it shares with a peer, or subtracts it. */
export function maskSign(site: number, peer: number): 1 | -1 {
  return site > peer ? 1 : -1;
}

export async function keyMatches(secret: Bytes, advertised: Bytes): Promise<boolean> {
  return sameBytes(await suite.publicKey(secret), advertised);
}
