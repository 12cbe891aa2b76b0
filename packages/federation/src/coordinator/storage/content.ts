/** Payloads that are parts of others, or made of them, and are never in memory as a whole. */
import { createHash, type Hash } from 'node:crypto';
import type { Payload } from '../../transport/chunks.ts';
import { readAt } from './files.ts';

type Bytes = Uint8Array<ArrayBuffer>;
/** A payload whose digest is not known. */
export type Content = Pick<Payload, 'bytes' | 'readInto'>;

/** Bytes that are read at a time. */
const BLOCK_BYTES = 256 * 1024;

export const contentIn = (bytes: Bytes): Content => contentMadeBy(bytes.length, () => bytes);

/** Made again whenever it is read. @param bytes of what is made. */
export const contentMadeBy = (bytes: number, make: () => Bytes): Content => ({
  bytes,
  readInto: async (into, at) => into.set(make().subarray(at, at + into.length)),
});

/** Bytes `start` to `end` of a file. */
export const contentOfFile = (
  path: string,
  { start, end }: { readonly start: number; readonly end: number },
): Content => ({
  bytes: end - start,
  async readInto(into, at) {
    const read = await readAt(path, into, start + at);
    if (read < into.length) throw new Error(`The file ${path} ends too early.`);
  },
});

export const rangeOf = (content: Content, from: number, to: number): Content => ({
  bytes: to - from,
  readInto: (into, at) => content.readInto(into, from + at),
});

/** One after the other. */
export function joinedContent(parts: readonly Content[]): Content {
  return {
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    async readInto(into, at) {
      let begin = 0;
      for (const part of parts) {
        const end = begin + part.bytes;
        const [from, to] = [Math.max(at, begin), Math.min(at + into.length, end)];
        if (from < to) await part.readInto(into.subarray(from - at, to - at), from - begin);
        begin = end;
      }
    },
  };
}

/** @param digest of the content. */
export function payloadWith(content: Content, digest: string): Payload {
  const { bytes, readInto } = content;
  return {
    digest,
    bytes,
    readInto,
    async read() {
      const all = new Uint8Array(bytes);
      await readInto(all, 0);
      return all;
    },
  };
}

export async function payloadOfContent(content: Content): Promise<Payload> {
  return payloadWith(content, (await hashOf(content)).digest('hex'));
}

/** sha-256 of the part that has been read; a copy of the hash continues with more. */
export async function hashOf(content: Content): Promise<Hash> {
  const hash = createHash('sha256');
  for await (const block of blocksOf(content)) hash.update(block);
  return hash;
}

/** Memory of a block that is not in use: readers follow each other. */
let spare: Bytes | undefined;

/** The next block reuses the memory of the block before. */
export async function* blocksOf(content: Content): AsyncGenerator<Bytes> {
  const block = spare ?? new Uint8Array(BLOCK_BYTES);
  spare = undefined;
  try {
    for (let at = 0; at < content.bytes; at += BLOCK_BYTES) {
      const part = block.subarray(0, Math.min(BLOCK_BYTES, content.bytes - at));
      await content.readInto(part, at);
      yield part;
    }
  } finally {
    spare = block;
  }
}
