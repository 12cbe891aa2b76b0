/**
 * Which artifacts an artifact names: listings of checkpoints and manifests of data sets are JSON
 * with the digests of others in it, and so is much of what tasks keep for their next attempt.
 *
 * An artifact never changes, so each is read once; one that does not begin like JSON, which is most
 * of the bytes there are, is not read beyond its beginning.
 */
import { SkeinError } from '@skein/api/errors';
import type { ArtifactStore } from '@skein/state';

const DIGEST = /\b[0-9a-f]{64}\b/g;
const DIGEST_LENGTH = 64;
/** JSON that is larger is data, not a list: that of a checkpoint may have 8 MiB. */
const MAX_BYTES = 64 * 2 ** 20;
const NOTHING: readonly string[] = [];

export interface ArtifactNames {
  /** What a stored artifact names; nothing when it is gone or damaged, as nobody can follow it then. */
  readonly of: (digest: string) => Promise<readonly string[]>;
  /** Forgets what it has read of any others. */
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
        // It may be put again, whole: another look reads it anew.
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
  /** The end of what came before, where a digest may have been cut. */
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
