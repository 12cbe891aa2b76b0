/** The key with which a node, or its whole fleet, seals what clients keep for it. */
import { randomBytes } from 'node:crypto';
import type { Secrets } from '@skein/state';

const SECRET = 'reasoning';

/** Reads the key of a state, or makes it, at the first call. */
export function sealKey(secrets: Secrets): () => Promise<Buffer | undefined> {
  let key: Promise<Buffer | undefined> | undefined;
  return () =>
    (key ??= secrets.secret(SECRET, randomBytes(32).toString('hex')).then(
      (hex) => Buffer.from(hex, 'hex'),
      () => {
        // The store is away: what needs no signature is answered all the same.
        key = undefined;
        return undefined;
      },
    ));
}
