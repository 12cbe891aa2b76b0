/** Artifacts that are small enough for memory: JSON and sources. */
import { SkeinError } from '@skein/api';
import type { ArtifactStore } from '@skein/state';

/** @throws SkeinError ARTIFACT_CORRUPT, ARTIFACT_UNKNOWN; BODY_TOO_LARGE past `maxBytes`. */
export async function readArtifact(
  artifacts: Pick<ArtifactStore, 'read'>,
  digest: string,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of artifacts.read(digest)) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) {
      throw new SkeinError(
        'BODY_TOO_LARGE',
        `Artifact ${digest} has more than the ${maxBytes} bytes that were expected.`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** @throws SkeinError STORAGE_FULL, STORE_UNREACHABLE. */
export async function putArtifact(
  artifacts: Pick<ArtifactStore, 'put'>,
  content: Uint8Array,
): Promise<string> {
  const { digest } = await artifacts.put(one(content), content.byteLength);
  return digest;
}

async function* one(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}
