/**
 * Payloads of a site that arrive in parts, in files: what has arrived outlives the connection and the
 * process. A whole one becomes an artifact.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { appendFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactStore } from '@skein/state';
import { assertFits, type Chunks, damaged, misplaced, type Payload } from '../transport/chunks.ts';

/**
 * @param folder of this site alone.
 * @param most bytes of a payload, and of all that is incomplete: what is older makes room.
 */
export function fileChunks(folder: string, artifacts: ArtifactStore, most: () => number): Chunks {
  const pathOf = (digest: string): string => join(folder, digest);
  const sizeOf = async (digest: string): Promise<number> =>
    stat(pathOf(digest)).then(
      ({ size }) => size,
      () => 0,
    );
  /** Bytes of what comes over this connection. */
  const coming = new Map<string, number>();

  async function makeRoom(digest: string, bytes: number): Promise<void> {
    const names = new Set([...(await readdir(folder)), ...coming.keys()]);
    names.delete(digest);
    const sizes = await Promise.all(
      [...names].map(async (name) => coming.get(name) ?? (await sizeOf(name))),
    );
    if (sizes.reduce((sum, size) => sum + size, bytes) <= most()) return;
    for (const name of names) {
      coming.delete(name);
      await rm(pathOf(name), { force: true });
    }
  }

  return {
    async held(digest, bytes) {
      assertFits(bytes, most());
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await makeRoom(digest, bytes);
      coming.set(digest, bytes);
      const size = await sizeOf(digest);
      if (size <= bytes) return size;
      await rm(pathOf(digest), { force: true });
      return 0;
    },
    async append(digest, offset, part) {
      const isWithin = offset + part.length <= (coming.get(digest) ?? 0);
      if (!isWithin || (await sizeOf(digest)) !== offset) throw misplaced(offset);
      await appendFile(pathOf(digest), part, { mode: 0o600 });
    },
    async finish(digest, bytes) {
      coming.delete(digest);
      const hash = createHash('sha256');
      for await (const part of createReadStream(pathOf(digest))) hash.update(part as Buffer);
      if (hash.digest('hex') !== digest) {
        await rm(pathOf(digest), { force: true });
        throw damaged(digest);
      }
      await artifacts.put(createReadStream(pathOf(digest)), bytes);
      await rm(pathOf(digest), { force: true });
      return artifactPayload(artifacts, digest, bytes);
    },
  };
}

/** A payload that is an artifact. */
export function artifactPayload(artifacts: ArtifactStore, digest: string, bytes: number): Payload {
  return { digest, bytes, read: () => readArtifact(artifacts, digest) };
}

export async function readArtifact(
  artifacts: ArtifactStore,
  digest: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await artifacts.sizeOf(digest));
  let at = 0;
  for await (const part of artifacts.read(digest)) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export async function putArtifact(artifacts: ArtifactStore, bytes: Uint8Array): Promise<string> {
  async function* content(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  return (await artifacts.put(content(), bytes.length)).digest;
}

/** Stores a payload, unless it is an artifact already, as a long one is. */
export async function keepPayload(artifacts: ArtifactStore, payload: Payload): Promise<void> {
  const stored = await artifacts.sizeOf(payload.digest).catch(() => undefined);
  if (stored === undefined) await putArtifact(artifacts, await payload.read());
}
