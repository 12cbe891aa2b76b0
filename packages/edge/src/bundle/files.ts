/**
 * Files of a bundle as chunks on the wire. A chunk is a slice of the compressed file, under the name of its SHA-256, so a
 * device resumes at the chunk that it lacks, and a place keeps a chunk once.
 *
 * Compression is gzip, because pages decompress nothing else themselves (docs/decisions/0047).
 */
import { sha256 } from '@skein/api/canonical';
import { untrusted } from '../trust/metadata.ts';
import type { Place } from '../trust/publish.ts';
import { bounded, type Bytes, type Source } from '../trust/source.ts';
import { CHUNK_BYTES, type BundleFile } from './manifest.ts';

export const chunkPath = (digest: string): string => `chunks/${digest}`;

/** Writes the chunks of a file. @returns its entry in the manifest. */
export async function writeFile(place: Place, content: Bytes): Promise<BundleFile> {
  const { file, chunks } = await splitFile(content);
  for (const [digest, chunk] of chunks) await place.write(chunkPath(digest), chunk);
  return file;
}

/** A file's entry in the manifest, and its chunks by their digests. */
export async function splitFile(
  content: Bytes,
): Promise<{ readonly file: BundleFile; readonly chunks: ReadonlyMap<string, Bytes> }> {
  const wire = await throughStream(content, new CompressionStream('gzip'), Infinity, 'the file');
  const chunks = new Map<string, Bytes>();
  const listed: BundleFile['chunks'] = [];
  for (let at = 0; at < wire.byteLength; at += CHUNK_BYTES) {
    const chunk = wire.slice(at, at + CHUNK_BYTES);
    const digest = await sha256(chunk);
    chunks.set(digest, chunk);
    listed.push({ sha256: digest, length: chunk.byteLength });
  }
  const file: BundleFile = {
    length: content.byteLength,
    sha256: await sha256(content),
    encoding: 'gzip',
    chunks: listed,
  };
  return { file, chunks };
}

/** @throws SkeinError EDGE_UNTRUSTED if the place has no such chunk, or another; EDGE_UNREACHABLE. */
export async function readChunk(
  source: Source,
  chunk: BundleFile['chunks'][number],
): Promise<Bytes> {
  const path = chunkPath(chunk.sha256);
  const bytes = await source.read(path, chunk.length);
  if (bytes === undefined) throw untrusted(`${source.place} has no ${path}.`);
  if (!(await isChunk(bytes, chunk))) throw untrusted(`${source.place} has another ${path}.`);
  return bytes;
}

export async function isChunk(bytes: Bytes, chunk: BundleFile['chunks'][number]): Promise<boolean> {
  return bytes.byteLength === chunk.length && (await sha256(bytes)) === chunk.sha256;
}

/**
 * The file of its chunks. No more than its signed length is decompressed.
 * @throws SkeinError EDGE_UNTRUSTED if the result is not the file.
 */
export async function joinChunks(
  path: string,
  file: BundleFile,
  chunks: readonly Bytes[],
): Promise<Bytes> {
  let content: Bytes;
  try {
    const wire = new Blob([...chunks]);
    content = await throughStream(wire, new DecompressionStream('gzip'), file.length, path);
  } catch (error) {
    throw untrusted(`${path} cannot be decompressed: ${(error as Error).message}`, error);
  }
  if (!(await isFile(content, file))) throw untrusted(`${path} is not the file that was signed.`);
  return content;
}

export async function isFile(content: Bytes, file: BundleFile): Promise<boolean> {
  return content.byteLength === file.length && (await sha256(content)) === file.sha256;
}

/** Bytes that a device downloads for files. */
export function wireBytes(files: readonly BundleFile[]): number {
  const chunks = new Map(
    files.flatMap((file) => file.chunks.map((each) => [each.sha256, each.length])),
  );
  return [...chunks.values()].reduce((sum, length) => sum + length, 0);
}

function throughStream(
  content: Bytes | Blob,
  transform: CompressionStream | DecompressionStream,
  maxBytes: number,
  what: string,
): Promise<Bytes> {
  const stream = content instanceof Blob ? content.stream() : new Blob([content]).stream();
  return bounded(stream.pipeThrough(transform), maxBytes, what);
}
