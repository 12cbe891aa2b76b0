/**
 * Reads a request's body within limits on bytes and time, which also hold after decompression.
 * A body that arrives in one piece is passed on without a copy. Other bodies are assembled as their
 * pieces arrive.
 */
import { SkeinError } from '@skein/api';
import { freeInTurns, freePiece, LARGE_BYTES } from '@skein/api/owned-memory';
import type { BudgetHold } from '@skein/api/shared-budget';
import { decompress, isEncoding } from './decompress.ts';
import { grown, NOTHING } from './growth.ts';
import type { Exchange, NodeExchange } from '../exchange/exchange.ts';
import type { GatewayLimits } from '../limits.ts';

/**
 * Each chunk of a body without a length costs the event loop some microseconds, however small it
 * is, and one read of the socket can bring a megabyte of chunks. The first chunks may have any
 * size; after them the average must reach a minimum size.
 */
const FREE_PIECES = 4096;
const LEAST_PIECE_BYTES = 32;

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
  if (!isEncoding(encoding)) {
    throw new SkeinError(
      'ENCODING_UNSUPPORTED',
      `The body has the Content-Encoding "${encoding}"; gzip, deflate and identity are supported.`,
    );
  }
  const compressed = await receive(exchange, limits, hold);
  // Its memory is given back below.
  const { length } = compressed;
  const body = await decompress(compressed, encoding, {
    tenant: hold?.tenant ?? '',
    maxBytes: limits.maxBodyBytes,
    take: (bytes) => hold?.take(bytes),
    isMuchHeld: () => hold?.isMuchHeld ?? false,
  });
  hold?.give(length);
  return body;
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
    return Promise.resolve(NOTHING);
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
    let whole: Buffer = NOTHING;
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
      freeInTurns(first ?? whole);
      settle();
      request.pause();
      reject(error);
    }
    /** The listeners live as long as the request; the pieces must not. */
    function settle(): void {
      settled = true;
      clearTimeout(timer);
      first = undefined;
      whole = NOTHING;
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
      if (size > whole.length) {
        const isMuchHeld = hold?.isMuchHeld ?? false;
        whole = grown(whole, size, Number(announced ?? 0), limits.maxBodyBytes, isMuchHeld);
      }
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
      const body = first === undefined ? whole.subarray(0, size) : own(first);
      settle();
      resolve(body);
    });
    request.on('close', onClose);
    request.on('error', onClose);
  });
}

/** A large body in memory of its own: the bytes of the next request may lie behind it. */
function own(piece: Buffer): Buffer {
  const isPart = piece.length < piece.buffer.byteLength;
  return isPart && piece.length >= LARGE_BYTES ? Buffer.from(new Uint8Array(piece).buffer) : piece;
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
