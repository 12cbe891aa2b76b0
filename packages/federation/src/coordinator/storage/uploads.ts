/**
 * Payloads of a site that arrive in parts, in files: the parts outlive the connection and the
 * process. A whole one becomes an artifact, which is read in parts as they are needed.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import { makeFolders } from '@skein/api/folders';
import type { ArtifactStore } from '@skein/state';
import {
  assertFits,
  type Chunks,
  damaged,
  misplaced,
  type Payload,
} from '../../transport/chunks.ts';
import { blocksOf, type Content, contentIn, contentOfFile, hashOf } from './content.ts';
import { appendTo, readAt } from './files.ts';
import { usedBytes, usedNative } from './garbage.ts';

/** Bytes that the check of a message and the storage of an artifact keep until they are collected, with its own bytes not counted. */
const STORED_BYTES = 32 * 1024;
/** Payloads that become artifacts at a time: each takes some buffers. */
let finishing: Promise<unknown> = Promise.resolve();

/**
 * @param folder of this site alone.
 * @param most bytes of a payload, and of all incomplete ones: older ones are removed to free space.
 */
export function fileChunks(folder: string, artifacts: ArtifactStore, most: () => number): Chunks {
  const pathOf = (digest: string): string => join(folder, digest);
  const sizeOf = async (digest: string): Promise<number> =>
    stat(pathOf(digest)).then(
      ({ size }) => size,
      () => 0,
    );
  /** Payloads that come over this connection: all bytes, and the bytes that are here. */
  const coming = new Map<string, { readonly bytes: number; held: number }>();

  async function freeSpaceFor(digest: string, bytes: number): Promise<void> {
    const names = new Set([...(await readdir(folder)), ...coming.keys()]);
    names.delete(digest);
    const sizes = await Promise.all(
      [...names].map(async (name) => coming.get(name)?.bytes ?? (await sizeOf(name))),
    );
    if (sizes.reduce((sum, size) => sum + size, bytes) <= most()) return;
    for (const name of names) {
      coming.delete(name);
      await rm(pathOf(name), { force: true });
    }
  }

  async function keep(digest: string, bytes: number): Promise<Payload> {
    const content = contentOfFile(pathOf(digest), { start: 0, end: bytes });
    if ((await hashOf(content)).digest('hex') !== digest) {
      await rm(pathOf(digest), { force: true });
      throw damaged(digest);
    }
    await putContent(artifacts, content);
    await rm(pathOf(digest), { force: true });
    return artifactPayload(artifacts, digest, bytes);
  }

  return {
    async held(digest, bytes) {
      assertFits(bytes, most());
      await makeFolders(folder, 0o700);
      await freeSpaceFor(digest, bytes);
      const size = await sizeOf(digest);
      const held = size <= bytes ? size : 0;
      if (held < size) await rm(pathOf(digest), { force: true });
      coming.set(digest, { bytes, held });
      return held;
    },
    async append(digest, offset, part) {
      const known = coming.get(digest);
      if (known?.held !== offset || offset + part.length > known.bytes) throw misplaced(offset);
      await appendTo(pathOf(digest), part);
      known.held += part.length;
      usedBytes(part.length);
    },
    finish(digest, bytes) {
      coming.delete(digest);
      const kept = finishing.then(() => keep(digest, bytes));
      finishing = kept.catch(() => {});
      return kept;
    },
  };
}

/** A payload that is an artifact. */
export function artifactPayload(artifacts: ArtifactStore, digest: string, bytes: number): Payload {
  return {
    digest,
    bytes,
    read: () => readArtifact(artifacts, digest),
    readInto: (into, at) => readRange(artifacts, digest, into, at),
  };
}

/** An artifact of an answer that is stored. @throws SkeinError ARTIFACT_UNKNOWN. */
export async function storedPayload(artifacts: ArtifactStore, digest: string): Promise<Payload> {
  return artifactPayload(artifacts, digest, await artifacts.sizeOf(digest));
}

/** @throws SkeinError ARTIFACT_CORRUPT. */
async function readRange(
  artifacts: ArtifactStore,
  digest: string,
  into: Uint8Array<ArrayBuffer>,
  at: number,
): Promise<void> {
  const read = await readAt(await artifacts.pathOf(digest), into, at);
  if (read === into.length) return;
  throw new SkeinError('ARTIFACT_CORRUPT', `Artifact sha256:${digest} ends too early.`);
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

export function putArtifact(
  artifacts: ArtifactStore,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<string> {
  return putContent(artifacts, contentIn(bytes));
}

/** Content as an artifact. @returns its digest. */
export async function putContent(artifacts: ArtifactStore, content: Content): Promise<string> {
  const { digest } = await artifacts.put(blocksOf(content), content.bytes);
  usedNative(STORED_BYTES);
  return digest;
}

/** Stores a payload, unless it is an artifact already, as a long one is. */
export async function keepPayload(artifacts: ArtifactStore, payload: Payload): Promise<void> {
  const stored = await artifacts.sizeOf(payload.digest).catch(() => undefined);
  if (stored !== undefined) return;
  await putContent(artifacts, payload);
  // The bytes are in the frame, in its body, and in the checked copy.
  usedBytes(3 * payload.bytes);
}
