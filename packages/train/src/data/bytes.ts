/** Sources of data: chunks of bytes, as a file stream or a response body yields them. */
import { dataError } from '../train-error.ts';
import type { RowStore, RowWriter, StoredBytes } from './rows/stored.ts';

export type ByteSource =
  | Uint8Array
  | Iterable<Uint8Array>
  | AsyncIterable<Uint8Array>
  | ReadableStream<Uint8Array>;

/** The chunks of a source, unpacked when they are gzip, one at a time. */
export async function* chunksOf(source: ByteSource): AsyncGenerator<Uint8Array> {
  const chunks = source instanceof Uint8Array ? [source] : source;
  const iterator = startedWith(chunks as AsyncIterable<Uint8Array>, 2);
  const first = await iterator.next();
  if (first.done === true) return;
  const head = first.value;
  const rest = (async function* () {
    yield head;
    yield* iterator;
  })();
  if (head[0] !== 0x1f || head[1] !== 0x8b) yield* rest;
  else yield* unpacked(rest, 'gzip');
}

/**
 * Decodes UTF-8 chunk by chunk; without a chunk, what is left at the end.
 * @param line on which the next chunk begins, counted from 1, for messages.
 * @throws TrainError `data`, naming the line that is not UTF-8.
 */
export function utf8Decoder(line: () => number): (chunk?: Uint8Array) => string {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  return (chunk) => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch (error) {
      const at = line() + (chunk === undefined ? 0 : breaksBeforeFlaw(chunk));
      throw dataError(`Line ${at} is not UTF-8.`, { cause: error });
    }
  };
}

/** Line breaks before the first line that is not UTF-8. The bytes may begin and end within a character. */
function breaksBeforeFlaw(bytes: Uint8Array): number {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let begin = 0;
  // At most three bytes continue a character of the chunk before.
  while (begin < 3 && (bytes[begin]! & 0xc0) === 0x80) begin++;
  for (let breaks = 0; ; breaks++) {
    const end = bytes.indexOf(0x0a, begin);
    const line = bytes.subarray(begin, end < 0 ? bytes.length : end);
    try {
      decoder.decode(line, { stream: end < 0 });
    } catch {
      return breaks;
    }
    // The first character is not finished as it began in the chunk before.
    if (end < 0) return 0;
    begin = end + 1;
  }
}

/** All bytes of a source, unpacked when they are gzip. */
export async function bytesOf(source: ByteSource): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunksOf(source)) {
    chunks.push(chunk);
    length += chunk.byteLength;
  }
  return joined(chunks, length);
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** All bytes of a source, unpacked when they are gzip: in memory up to the store's limit, else in the store. */
export async function collected(
  source: ByteSource,
  store: RowStore,
): Promise<Uint8Array | StoredBytes> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  let writer: RowWriter | undefined;
  for await (const chunk of chunksOf(source)) {
    length += chunk.byteLength;
    if (writer === undefined) chunks.push(chunk);
    else writer.append(chunk);
    if (writer !== undefined || length <= store.limit) continue;
    writer = store.create();
    for (const each of chunks.splice(0)) writer.append(each);
  }
  return writer?.finish() ?? joined(chunks, length);
}

/** @throws TrainError `data` when the bytes are damaged or cut off. */
export async function* unpacked(
  packed: AsyncIterable<Uint8Array>,
  format: 'gzip' | 'deflate-raw',
): AsyncGenerator<Uint8Array> {
  const unpacking =
    (format === 'gzip' ? gunzippedByNode(packed) : undefined) ?? decompressed(packed, format);
  try {
    yield* unpacking;
  } catch (error) {
    throw dataError(`The ${format === 'gzip' ? 'gzip' : 'ZIP'} data are damaged or cut off.`, {
      cause: error,
    });
  }
}

/**
 * Joins several members, as `bgzip` and `cat` make them, where a `DecompressionStream` takes only the first.
 * @returns undefined where this is not Node.
 */
function gunzippedByNode(packed: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> | undefined {
  const zlib = globalThis.process?.getBuiltinModule?.('node:zlib');
  const stream = globalThis.process?.getBuiltinModule?.('node:stream');
  // The error of either side is thrown to the reader.
  return zlib && stream?.pipeline(packed, zlib.createGunzip(), () => undefined);
}

function decompressed(
  packed: AsyncIterable<Uint8Array>,
  format: 'gzip' | 'deflate-raw',
): AsyncIterable<Uint8Array> {
  const chunks = packed[Symbol.asyncIterator]();
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const next = await chunks.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value as Uint8Array<ArrayBuffer>);
    },
    async cancel() {
      await chunks.return?.();
    },
  });
  return stream.pipeThrough(new DecompressionStream(format));
}

/** The same chunks; the first has at least `least` bytes if the source has as many. */
async function* startedWith(
  chunks: AsyncIterable<Uint8Array>,
  least: number,
): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | undefined;
  for await (const chunk of chunks) {
    if (head === undefined || head.byteLength >= least) {
      if (head !== undefined) yield head;
      head = chunk;
    } else {
      head = Uint8Array.of(...head, ...chunk);
    }
  }
  if (head !== undefined) yield head;
}
