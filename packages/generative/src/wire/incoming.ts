/**
 * The answer of an upstream while it arrives: its pieces, for one reader, which holds the connection
 * back when it is slow. Leaving the answer early ends the connection, unless what was read is the
 * whole answer: the rest of one is never read in vain.
 */
import { pipeline, Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Hold } from '../contract.ts';
import { networkError, upstreamError } from './upstream-error.ts';

export interface UpstreamAnswer {
  readonly status: number;
  /** Without parameters, lower case. */
  readonly contentType: string;
  /** @param name in lower case. */
  header(name: string): string | undefined;
  /** Decompressed. Throws PROVIDER_CUT when the connection ends before the answer. */
  readonly body: AsyncIterable<Buffer>;
  /** @throws SkeinError PROVIDER_FAILED past the limit, and what the budget of memory throws. */
  text(): Promise<string>;
  /** Ends the connection of an answer that is not read to its end. */
  discard(): void;
  /**
   * Marks the part read so far as the whole answer, before the loop is left: the connection is kept,
   * for the next request, if its end arrives within a moment.
   */
  finish(): void;
}

export interface Incoming {
  readonly answer: UpstreamAnswer;
  /** @returns false: no more until `resume` is called. */
  push(piece: Buffer): boolean;
  /** @param error absent: the answer has arrived as a whole. */
  end(error?: Error): void;
}

export interface IncomingOptions {
  readonly status: number;
  /** Names and values alternating. */
  readonly fields: readonly Buffer[];
  readonly resume: () => void;
  /** Ends the connection. */
  readonly end: (reason: Error) => void;
  readonly hold?: Hold | undefined;
}

/** Bytes of an answer that is read as a whole, decompressed: an answer with several images fits. */
const LARGEST_ANSWER = 64 * 2 ** 20;
/** A whole answer is there as bytes, as their text and as the values of it. */
const COPIES = 3;
/** Bytes that may wait for the reader. */
const MOST_WAITING = 64 * 1024;
/** How long the end of an answer may take behind its last event. */
const END_MS = 1000;

const DECOMPRESS: Readonly<Record<string, () => NodeJS.ReadWriteStream>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
};

export function createIncoming(name: string, options: IncomingOptions): Incoming {
  const { status, fields, resume, hold } = options;
  const pieces: Buffer[] = [];
  let waiting = 0;
  let isPaused = false;
  let isEnded = false;
  let failure: Error | undefined;
  /** The reader waits for the next piece. */
  let reader: PromiseWithResolvers<IteratorResult<Buffer, undefined>> | undefined;
  let isWhole = false;
  let isLeft = false;
  let endTimer: NodeJS.Timeout | undefined;
  /** The connection of an answer that has arrived may be another request's by now. */
  const leave = (): void => {
    if (!isEnded) options.end(new Error('The answer was left.'));
  };

  function next(): Promise<IteratorResult<Buffer, undefined>> {
    const value = pieces.shift();
    if (value !== undefined) {
      waiting -= value.length;
      if (isPaused && waiting === 0) {
        isPaused = false;
        resume();
      }
      return Promise.resolve({ done: false, value });
    }
    if (failure !== undefined) return Promise.reject(failure);
    if (isEnded) return Promise.resolve({ done: true, value: undefined });
    reader = Promise.withResolvers();
    return reader.promise;
  }

  const raw: AsyncIterable<Buffer> = {
    [Symbol.asyncIterator]: () => ({
      next,
      return() {
        isLeft = true;
        if (!isWhole || waiting > 0) leave();
        else if (!isEnded) endTimer = setTimeout(leave, END_MS);
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  };

  function header(key: string): string | undefined {
    for (let at = 0; at < fields.length; at += 2) {
      const field = fields[at]!;
      if (field.length === key.length && field.toString('latin1').toLowerCase() === key)
        return fields[at + 1]!.toString('latin1');
    }
    return undefined;
  }
  const encoding = header('content-encoding')?.toLowerCase() ?? 'identity';
  const body = encoding === 'identity' ? raw : decompressed(name, raw, encoding);

  return {
    answer: {
      status,
      contentType: (header('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase(),
      header,
      body,
      text: () => textOf(name, body, hold),
      discard: leave,
      finish() {
        isWhole = true;
      },
    },
    push(piece) {
      if (isLeft) {
        // More bytes than the end has are not waited for.
        leave();
        return true;
      }
      if (reader !== undefined) {
        reader.resolve({ done: false, value: piece });
        reader = undefined;
        return true;
      }
      pieces.push(piece);
      waiting += piece.length;
      isPaused = waiting > MOST_WAITING;
      return !isPaused;
    },
    end(error) {
      clearTimeout(endTimer);
      isEnded = true;
      failure = error;
      if (error !== undefined) reader?.reject(error);
      else reader?.resolve({ done: true, value: undefined });
      reader = undefined;
    },
  };
}

async function textOf(
  provider: string,
  body: AsyncIterable<Buffer>,
  hold: Hold = () => {},
): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > LARGEST_ANSWER) {
      const message = `its answer is larger than ${LARGEST_ANSWER} bytes.`;
      throw upstreamError('PROVIDER_FAILED', { provider, message });
    }
    hold(chunk.length * COPIES);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function* decompressed(
  provider: string,
  source: AsyncIterable<Buffer>,
  encoding: string,
): AsyncGenerator<Buffer> {
  const decompress = DECOMPRESS[encoding]?.();
  if (decompress === undefined) {
    await source[Symbol.asyncIterator]().return?.();
    const message = 'its answer is compressed in an unknown way.';
    throw upstreamError('PROVIDER_FAILED', { provider, message });
  }
  // Its error is the one of the loop.
  pipeline(Readable.from(source), decompress, () => {});
  try {
    for await (const chunk of decompress) yield chunk as Buffer;
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('Z_') !== true)
      throw networkError(provider, error, true);
    const message = 'its answer cannot be decompressed.';
    throw upstreamError('PROVIDER_FAILED', { provider, message });
  }
}
