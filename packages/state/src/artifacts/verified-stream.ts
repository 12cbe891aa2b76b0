/** A stream that ends only if its content is right: the last chunk follows the check of the digest. */
import { createHash } from 'node:crypto';
import { SkeinError } from '@skein/api/errors';

/**
 * Passes each chunk on when the next one arrives. A reader that stores the chunks must not use them
 * before the end, as with any stream; the end is reached only if the digest matches.
 * @throws SkeinError ARTIFACT_CORRUPT in place of the last chunk.
 */
export async function* verified(
  content: AsyncIterable<Uint8Array>,
  digest: string,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let held: Uint8Array | undefined;
  for await (const chunk of content) {
    if (chunk.byteLength === 0) continue;
    hash.update(chunk);
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (hash.digest('hex') !== digest) throw corrupt(digest, 'has changed where it is stored');
  if (held !== undefined) yield held;
}

export function corrupt(digest: string, how: string): SkeinError {
  return new SkeinError('ARTIFACT_CORRUPT', `Artifact sha256:${digest} ${how}.`);
}

export function unknown(digest: string): SkeinError {
  return new SkeinError('ARTIFACT_UNKNOWN', `There is no artifact sha256:${digest}.`);
}
