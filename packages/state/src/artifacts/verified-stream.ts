/** A stream whose end proves its content: the last chunk comes only after the digest was found right. */
import { createHash } from 'node:crypto';
import { SkeinError } from '@skein/api/errors';

/**
 * Passes chunks on one behind. Somebody who writes them elsewhere must still wait for the end
 * before using them, as with any stream; but nobody gets to the end of something else.
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
