/**
 * Reads a tar stream from a guest, as hostile input.
 *
 * Only what GNU tar writes with `--format=gnu` is understood: a header of 512 bytes, with a sum;
 * long names in entries of type `L` and `K`. Anything else is an error, not a guess. What is held
 * in memory is one chunk of the stream, one header and one long name.
 */
import { Buffer } from 'node:buffer';

const BLOCK = 512;
/** PATH_MAX of Linux, and its NUL. */
const LONGEST_NAME = 4097;
/** Entries of an archive, whatever their kind. */
const MOST_ENTRIES = 1_000_000;

export interface ArchiveEntry {
  /** Bytes of the name, as the guest chose them. */
  readonly name: Uint8Array;
  /** `0` is a regular file, `5` a directory, `2` a symbolic link; as in tar. */
  readonly type: string;
  readonly sizeBytes: number;
  /** Exactly `sizeBytes`; skipped when it is not consumed before the next entry. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** Not an archive, or not a whole one. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
}

/** @throws ArchiveError at the first invalid byte. */
export async function* readArchive(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<ArchiveEntry> {
  const bytes = new ByteReader(stream);
  let longName: Uint8Array | undefined;
  for (let entries = 0; ; entries++) {
    if (entries > MOST_ENTRIES) throw new ArchiveError(`more than ${MOST_ENTRIES} entries`);
    const block = await bytes.take(BLOCK);
    if (block.every((byte) => byte === 0)) return;
    const { name, type, sizeBytes } = readHeader(block);
    if (type === 'L' || type === 'K') {
      if (sizeBytes > LONGEST_NAME) throw new ArchiveError(`a name of ${sizeBytes} bytes`);
      const long = cString(await bytes.take(sizeBytes));
      await bytes.skip(padding(sizeBytes));
      // `K` is the target of a link, which is not needed.
      if (type === 'L') longName = long;
      continue;
    }
    const content = new Content(bytes, type === '0' ? sizeBytes : 0);
    yield { name: longName ?? name, type, sizeBytes: content.left, content: content.read() };
    longName = undefined;
    // The rest that the consumer did not read, and the padding of the last block.
    await bytes.skip(content.left + (type === '0' ? padding(sizeBytes) : 0));
  }
}

/** The content of one entry; the consumer may read all, some or none of it. */
class Content {
  left: number;
  readonly #bytes: ByteReader;

  constructor(bytes: ByteReader, sizeBytes: number) {
    this.#bytes = bytes;
    this.left = sizeBytes;
  }

  async *read(): AsyncGenerator<Uint8Array> {
    while (this.left > 0) {
      const part = await this.#bytes.some(this.left);
      this.left -= part.length;
      yield part;
    }
  }
}

function readHeader(block: Uint8Array): { name: Uint8Array; type: string; sizeBytes: number } {
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (readOctal(block.subarray(148, 156)) !== sum)
    throw new ArchiveError('the sum of a header is wrong');
  const magic = Buffer.from(block.subarray(257, 265)).toString('latin1');
  if (magic !== 'ustar  \0') throw new ArchiveError('a header is not of GNU tar');
  const type = String.fromCharCode(block[156] ?? 0);
  if (!/^[0-7KL]$/.test(type)) throw new ArchiveError(`an entry of type ${JSON.stringify(type)}`);
  return {
    name: cString(block.subarray(0, 100)),
    type,
    sizeBytes: readSize(block.subarray(124, 136)),
  };
}

/** Octal digits, or from 8 GiB on a big-endian number after a byte 0x80. */
function readSize(field: Uint8Array): number {
  if (field[0] !== 0x80) return readOctal(field);
  const size = field.subarray(1).reduce((total, byte) => total * 256 + byte, 0);
  if (!Number.isSafeInteger(size)) throw new ArchiveError('a size beyond any file');
  return size;
}

function readOctal(field: Uint8Array): number {
  const digits = /^ *([0-7]+)[ \0]*$/.exec(Buffer.from(field).toString('latin1'))?.[1];
  if (digits === undefined) throw new ArchiveError('a number that is not octal');
  return Number.parseInt(digits, 8);
}

function cString(field: Uint8Array): Uint8Array {
  const end = field.indexOf(0);
  // A copy: the block is a view of a chunk that may be reused.
  return Uint8Array.from(end === -1 ? field : field.subarray(0, end));
}

function padding(sizeBytes: number): number {
  return (BLOCK - (sizeBytes % BLOCK)) % BLOCK;
}

/** Takes exact numbers of bytes out of a stream of chunks. */
class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array();

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async take(bytes: number): Promise<Uint8Array> {
    const taken = new Uint8Array(bytes);
    let at = 0;
    while (at < bytes) {
      const part = await this.some(bytes - at);
      taken.set(part, at);
      at += part.length;
    }
    return taken;
  }

  async skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0;) left -= (await this.some(left)).length;
  }

  /** At least one byte and at most `most`. */
  async some(most: number): Promise<Uint8Array> {
    while (this.#chunk.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) throw new ArchiveError('the archive is cut off');
      this.#chunk = next.value;
    }
    const part = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(part.length);
    return part;
  }
}
