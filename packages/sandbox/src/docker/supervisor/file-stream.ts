/**
 * The format of files into and out of a workspace:
 * `[length of header: u32][header as JSON: path, size, executable][content]`, repeated.
 *
 * The output stream was written by a program of the driver, but with the rights of a guest and
 * about files of a guest, so it is parsed as if the guest had written it.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api';
import type { CollectedFile } from '../../contract.ts';

const MAX_HEADER_BYTES = 64 * 1024;

export interface PutFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly executable?: boolean;
}

/** @throws SkeinError REQUEST_INVALID when a path is not relative, normalised and inside. */
export function* encodeFiles(files: Iterable<PutFile>): Generator<Uint8Array> {
  for (const { path, content, executable = false } of files) {
    if (!isInside(path)) throw invalidPath(path);
    const header = Buffer.from(JSON.stringify({ path, size: content.length, executable }));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(header.length);
    yield Buffer.concat([length, header]);
    yield content;
  }
}

/**
 * Whether a path is relative and normalised, and so stays inside the folder that it is applied to.
 */
export function isInside(path: string): boolean {
  return (
    path !== '' &&
    !path.includes('\0') &&
    path.split('/').every((part) => !['', '.', '..'].includes(part))
  );
}

export function invalidPath(path: string): SkeinError {
  return new SkeinError(
    'REQUEST_INVALID',
    `${JSON.stringify(path)} is not a path inside the workspace: it must be relative, without "." or "..".`,
  );
}

/**
 * Reads files as they arrive. Each must be consumed before the next; the rest of a file is skipped.
 * @param maxBytes of all contents together.
 * @throws Error when the stream is not of this form; SkeinError SANDBOX_OUTPUT_TOO_LARGE.
 */
export async function* decodeFiles(
  source: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<CollectedFile> {
  const bytes = new ByteReader(source);
  let budget = maxBytes;
  while (!(await bytes.isAtEnd())) {
    const length = (await bytes.exactly(4)).readUInt32BE();
    if (length > MAX_HEADER_BYTES) throw new Error('the header of a collected file is too long');
    const { path, size } = readHeader(await bytes.exactly(length));
    budget -= size;
    if (budget < 0) throw tooLarge(maxBytes, path, size);
    const content = bytes.some(size);
    yield { path, sizeBytes: size, content };
    for await (const rest of content) void rest;
  }
}

function tooLarge(maxBytes: number, path: string, size: number): SkeinError {
  return new SkeinError(
    'SANDBOX_OUTPUT_TOO_LARGE',
    `The outputs are larger than ${maxBytes} bytes; ${JSON.stringify(path)} with its ${size} bytes no longer fits`,
  );
}

function readHeader(text: Buffer): { path: string; size: number } {
  const header: unknown = readJson(text.toString(), JSON_BOUNDS.frame);
  if (typeof header === 'object' && header !== null && 'path' in header && 'size' in header) {
    const { path, size } = header;
    if (
      typeof path === 'string' &&
      isInside(path) &&
      Number.isSafeInteger(size) &&
      Number(size) >= 0
    ) {
      return { path, size: Number(size) };
    }
  }
  throw new Error('the header of a collected file is not one');
}

class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async isAtEnd(): Promise<boolean> {
    return this.#buffer.length === 0 && !(await this.#more());
  }

  async exactly(length: number): Promise<Buffer> {
    while (this.#buffer.length < length) {
      if (!(await this.#more())) throw new Error('the collected files end early');
    }
    return this.#take(length);
  }

  /** The next `length` bytes, in pieces. A second iteration continues after the first. */
  some(length: number): AsyncIterable<Uint8Array> {
    let left = length;
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      if (left === 0) return { done: true, value: undefined };
      if (this.#buffer.length === 0 && !(await this.#more()))
        throw new Error('the collected files end early');
      const piece = this.#take(Math.min(left, this.#buffer.length));
      left -= piece.length;
      return { done: false, value: piece };
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  #take(length: number): Buffer {
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#source.next();
    if (done === true) return false;
    this.#buffer = this.#buffer.length === 0 ? value : Buffer.concat([this.#buffer, value]);
    return true;
  }
}
