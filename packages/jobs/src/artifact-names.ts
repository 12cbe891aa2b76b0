/**
 * Finds the artifacts that an artifact names. Checkpoint listings and data set manifests are JSON
 * that contains digests of other artifacts, and so is much of what tasks save for their next
 * attempt.
 *
 * An artifact never changes, so each is read once. Most bytes are in artifacts that do not begin
 * like JSON; of these only the beginning is read.
 */
import { SkeinError } from '@skein/api/errors';
import type { ArtifactStore } from '@skein/state';

const DIGEST = /\b[0-9a-f]{64}\b/g;
const DIGEST_LENGTH = 64;
/** Larger JSON is data, not a list. A checkpoint listing may have up to 8 MiB. */
const MAX_BYTES = 64 * 2 ** 20;
const NOTHING: readonly string[] = [];

export interface ArtifactNames {
  /**
   * Returns the digests that a stored artifact contains; empty when the artifact is gone or
   * damaged.
   */
  readonly of: (digest: string) => Promise<readonly string[]>;
  /** Drops what has been read of all other artifacts. */
  readonly keep: (digests: ReadonlySet<string>) => void;
}

export function createArtifactNames(
  artifacts: Pick<ArtifactStore, 'read' | 'sizeOf'>,
): ArtifactNames {
  const known = new Map<string, readonly string[]>();
  return {
    async of(digest) {
      const before = known.get(digest);
      if (before !== undefined) return before;
      try {
        const large = (await artifacts.sizeOf(digest)) > MAX_BYTES;
        const names = large ? NOTHING : await namesIn(artifacts.read(digest));
        known.set(digest, names);
        return names;
      } catch (error) {
        // The artifact may be stored again, undamaged: read it again on the next sweep.
        if (error instanceof SkeinError && LOST.has(error.code)) return NOTHING;
        throw error;
      }
    },
    keep(digests) {
      for (const digest of known.keys()) if (!digests.has(digest)) known.delete(digest);
    },
  };
}

const LOST: ReadonlySet<string> = new Set(['ARTIFACT_CORRUPT', 'ARTIFACT_UNKNOWN']);

export function digestsIn(text: string): readonly string[] {
  return text.match(DIGEST) ?? NOTHING;
}

async function namesIn(content: AsyncIterable<Uint8Array>): Promise<readonly string[]> {
  const names = new Set<string>();
  /** The end of the previous chunk, where a digest may have been cut. */
  let tail = '';
  let begun = false;
  for await (const chunk of content) {
    const text = tail + Buffer.from(chunk).toString('latin1');
    begun ||= text.trimStart() !== '';
    if (!begun) continue;
    if (tail === '' && !/^\s*[[{]/.test(text)) return NOTHING;
    for (const digest of digestsIn(text)) names.add(digest);
    tail = text.slice(-DIGEST_LENGTH);
  }
  return names.size === 0 ? NOTHING : [...names];
}
