/**
 * Reads a request's body within limits on bytes and time, which also hold after decompression.
 * A body that arrives in one piece is passed on without a copy. Other bodies are assembled as their
 * pieces arrive.
 */
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { SkeinError } from '@skein/api';
import type { BudgetHold } from '@skein/api/shared-budget';
import { freePiece } from './discard.ts';
import type { Exchange, NodeExchange } from '../exchange/exchange.ts';
import type { GatewayLimits } from '../limits.ts';

/**
 * Each chunk of a body without a length costs the event loop some microseconds, however small it
 * is, and one read of the socket can bring a megabyte of chunks. The first chunks may have any
 * size; after them the average must reach a minimum size.
 */
const FREE_PIECES = 4096;
const LEAST_PIECE_BYTES = 32;
const EMPTY = Buffer.alloc(0);
const DECOMPRESS = { gzip: promisify(gunzip), deflate: promisify(inflate) };

/** Announced bytes that are allocated at once. */
const SMALL_BYTES = 64 * 1024;
/** A longer body is allocated in full when this fraction of it has arrived. */
const CREDIBLE_PARTS = 16;
/** Largest expansion of a compressed byte: deflate's bound. */
const MAX_EXPANSION = 1032;

type BodyLimits = Pick<GatewayLimits, 'maxBodyBytes' | 'bodyTimeoutMs'>;

/**
 * @param hold counts the body while it is in flight; the caller releases it.
 * @throws SkeinError BODY_TOO_LARGE, BODIES_TOO_LARGE, BODY_TOO_SLOW, ENCODING_UNSUPPORTED,
 *   REQUEST_INVALID when the compressed data are corrupt, CANCELLED when the client left.
 */
export async function readBody(
  exchange: Exchange,
  limits: BodyLimits,
  hold?: BudgetHold,
): Promise<Buffer> {
  const encoding = exchange.request.headers['content-encoding']?.toLowerCase();
  if (encoding === undefined || encoding === 'identity') return receive(exchange, limits, hold);
  if (encoding !== 'gzip' && encoding !== 'deflate') {
    throw new SkeinError(
      'ENCODING_UNSUPPORTED',
      `The body has the Content-Encoding "${encoding}"; gzip, deflate and identity are supported.`,
    );
  }
  const compressed = await receive(exchange, limits, hold);
  // The decompressed size is known only at the end.
  const atMost = Math.min(limits.maxBodyBytes, compressed.length * MAX_EXPANSION);
  hold?.take(atMost);
  try {
    const body = await DECOMPRESS[encoding](compressed, { maxOutputLength: limits.maxBodyBytes });
    hold?.give(atMost - body.length + compressed.length);
    return body;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw tooLarge(`more than ${limits.maxBodyBytes} bytes once decompressed`, limits);
    }
    throw new SkeinError('REQUEST_INVALID', `The body is not valid ${encoding} data.`, {
      cause: error,
    });
  }
}

function receive(
  exchange: Exchange,
  limits: BodyLimits,
  hold: BudgetHold | undefined,
): Promise<Buffer> {
  if (exchange.body !== undefined) return arrived(exchange.body, limits, hold);
  const { request, response } = exchange as NodeExchange;
  const announced = request.headers['content-length'];
  if (announced === undefined && request.headers['transfer-encoding'] === undefined) {
    return Promise.resolve(EMPTY);
  }
  if (announced !== undefined && Number(announced) > limits.maxBodyBytes) {
    return Promise.reject(tooLarge(`${announced} bytes`, limits));
  }
  try {
    // Reject before the first byte is read if the headers already show it.
    if (announced !== undefined) hold?.check(Number(announced));
  } catch (error) {
    return Promise.reject(error);
  }
  if (exchange.expectsContinue) response.writeContinue();

  return new Promise((resolve, reject) => {
    let first: Buffer | undefined;
    let whole: Buffer = EMPTY;
    let size = 0;
    let pieces = 0;
    let settled = false;
    const timer = setTimeout(() => {
      fail(
        new SkeinError(
          'BODY_TOO_SLOW',
          `${size} bytes of the body arrived within ${limits.bodyTimeoutMs} ms, and the body is incomplete.`,
        ),
      );
    }, limits.bodyTimeoutMs);

    function fail(error: SkeinError): void {
      settle();
      request.pause();
      reject(error);
    }
    /** The listeners live as long as the request; the pieces must not. */
    function settle(): void {
      settled = true;
      clearTimeout(timer);
      first = undefined;
      whole = EMPTY;
    }
    function onClose(): void {
      if (settled) return;
      fail(new SkeinError('CANCELLED', 'The client closed the connection before the body ended.'));
    }
    // The request ends soon after its body: removing its listeners costs more than leaving them.
    request.on('data', (chunk: Buffer) => {
      if (settled) {
        freePiece(chunk);
        return;
      }
      const arrived = size;
      size += chunk.length;
      pieces += 1;
      if (announced === undefined && pieces > FREE_PIECES && size < pieces * LEAST_PIECE_BYTES) {
        fail(tooFine(pieces, size));
        return;
      }
      if (size > limits.maxBodyBytes) {
        fail(tooLarge(`more than ${limits.maxBodyBytes} bytes`, limits));
        return;
      }
      try {
        hold?.take(chunk.length);
      } catch (error) {
        fail(error as SkeinError);
        return;
      }
      if (arrived === 0) {
        first = chunk;
        return;
      }
      // A piece may be a single byte in a Buffer of a hundred: keep none of them.
      if (size > whole.length) whole = grown(whole, size, Number(announced ?? 0), limits);
      if (first !== undefined) {
        first.copy(whole);
        freePiece(first);
      }
      first = undefined;
      chunk.copy(whole, arrived);
      freePiece(chunk);
    });
    request.on('end', () => {
      if (settled) return;
      const body = first ?? (size === whole.length ? whole : whole.subarray(0, size));
      settle();
      resolve(body);
    });
    request.on('close', onClose);
    request.on('error', onClose);
  });
}

async function arrived(
  body: Buffer,
  limits: BodyLimits,
  hold: BudgetHold | undefined,
): Promise<Buffer> {
  if (body.length > limits.maxBodyBytes) throw tooLarge(`${body.length} bytes`, limits);
  hold?.take(body.length);
  return body;
}

/**
 * Returns a buffer of at least `size` bytes that begins with the bytes of `whole`.
 *
 * The announced length is allocated once a fraction of it has arrived: assembling 32 MiB at the end
 * would block the event loop for 20 ms. Until then, and without a length, the buffer doubles.
 */
function grown(whole: Buffer, size: number, announced: number, limits: BodyLimits): Buffer {
  const isCredible = announced <= SMALL_BYTES || size * CREDIBLE_PARTS >= announced;
  const wanted = isCredible ? announced : 2 * size;
  const room = Math.max(size, Math.min(Math.max(wanted, 2 * whole.length), limits.maxBodyBytes));
  const larger = Buffer.allocUnsafeSlow(room);
  whole.copy(larger);
  return larger;
}

function tooFine(pieces: number, size: number): SkeinError {
  return new SkeinError(
    'REQUEST_INVALID',
    `The body arrived in ${pieces} chunks of ${Math.round(size / pieces)} bytes on average; from ${FREE_PIECES} chunks on they must have ${LEAST_PIECE_BYTES}.`,
  );
}

function tooLarge(what: string, limits: BodyLimits): SkeinError {
  return new SkeinError(
    'BODY_TOO_LARGE',
    `The body has ${what}; the node accepts up to ${limits.maxBodyBytes}.`,
  );
}
