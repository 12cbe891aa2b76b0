/**
 * The form of a model above 2 GiB as one file. A message of protocol buffers holds at most 2 GiB, so the graph is a
 * message of its own, and the weights lie behind it:
 *
 *     0        8            16                         head
 *     SKEINXTD | length of  | ModelProto, whose tensors | weights, each on a page of its own,
 *              | ModelProto | are external              | so that they can be mapped
 *
 * Offsets of tensors count from the start of the file. The file is stored by its digest, which cannot stand in
 * it: its tensors name `OWN_NAME`, and a replica puts the name of the file in its place.
 *
 * It imports nothing: each module adds to a replica's cold start.
 */
const MAGIC = 'SKEINXTD';

/** Bytes before the message. */
export const PREFIX_BYTES = 16;
/** Bytes of a graph without its weights; the graphs of the largest language models have some 10 MiB. */
export const LARGEST_GRAPH = 2 ** 28;
/** Weights begin at its multiples. */
export const PAGE_BYTES = 4096;
/** The file itself, as a location of tensors; as long as a digest in hex. */
export const OWN_NAME = 'skein-model-file-3f1c9a7e5b2d48608c7af0e19d54b6c2e8a17053f201234';

export function prefixOf(messageBytes: number): Uint8Array {
  const prefix = new Uint8Array(PREFIX_BYTES);
  prefix.set(new TextEncoder().encode(MAGIC));
  new DataView(prefix.buffer).setBigUint64(8, BigInt(messageBytes), true);
  return prefix;
}

/** @param prefix the first bytes of a file. @returns the length of its message; undefined for a file of another form. */
export function messageBytesOf(prefix: Uint8Array): number | undefined {
  if (prefix.byteLength < PREFIX_BYTES) return undefined;
  if (String.fromCharCode(...prefix.subarray(0, MAGIC.length)) !== MAGIC) return undefined;
  return Number(new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(8, true));
}

export const pagesOf = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
