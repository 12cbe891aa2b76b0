/**
 * Reads a request's body within bounds: so many bytes, in so much time, also after decompression.
 * A body that came in one piece is passed on as it lies; otherwise its pieces are put together as they
 * come.
 */
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { SkeinError } from '@skein/api';
import type { BudgetHold } from '@skein/api/shared-budget';
import type { Exchange } from './exchange.ts';
import type { GatewayLimits } from './limits.ts';

/**
 * Every chunk of a body without a length costs the event loop some microseconds, however small it is,
 * and the network brings a megabyte of them at once. So many chunks may be of any size; more must have
 * so many bytes on average.
 */
const FREE_PIECES = 4096;
const LEAST_PIECE_BYTES = 32;
const EMPTY = Buffer.alloc(0);
const DECOMPRESS = { gzip: promisify(gunzip), deflate: promisify(inflate) };

/** Announced bytes for which room is made at once. */
const SMALL_BYTES = 64 * 1024;
/** For a longer body room is made when one part in so many is there. */
const CREDIBLE_PARTS = 16;
/** What a byte of compressed data can become, at most: deflate's bound. */
const MAX_EXPANSION = 1032;

/**
 * @param hold counts the body while it is in flight; the caller gives it back.
 * @throws SkeinError BODY_TOO_LARGE, BODIES_TOO_LARGE, BODY_TOO_SLOW, ENCODING_UNSUPPORTED, REQUEST_INVALID when the
 *   compressed data are corrupt, CANCELLED when the client left.
 */
export async function readBody(
  exchange: Exchange,
  limits: GatewayLimits,
  hold?: BudgetHold,
): Promise<Buffer> {
  const encoding = exchange.request.headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return receive(exchange, limits, hold);
  if (encoding !== 'gzip' && encoding !== 'deflate') {
    throw new SkeinError(
      'ENCODING_UNSUPPORTED',
      `The body has the Content-Encoding "${encoding}"; gzip, deflate and identity are supported.`,
    );
  }
  const compressed = await receive(exchange, limits, hold);
  // How large it becomes is known only afterwards.
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
  limits: GatewayLimits,
  hold: BudgetHold | undefined,
): Promise<Buffer> {
  const { request, response } = exchange;
  const announced = request.headers['content-length'];
  if (announced === undefined && request.headers['transfer-encoding'] === undefined) {
    return Promise.resolve(EMPTY);
  }
  if (announced !== undefined && Number(announced) > limits.maxBodyBytes) {
    return Promise.reject(tooLarge(`${announced} bytes`, limits));
  }
  try {
    // Before the first byte of it is read, if that can be seen already.
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
          `${size} bytes of the body arrived within ${limits.bodyTimeoutMs} ms, and more were to come.`,
        ),
      );
    }, limits.bodyTimeoutMs);

    function fail(error: SkeinError): void {
      settle();
      request.pause();
      reject(error);
    }
    /** The listeners stay as long as the request: the pieces must not. */
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
    // The request ends soon after its body: taking its listeners off costs more than leaving them.
    request.on('data', (chunk: Buffer) => {
      if (settled) return;
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
      // A piece may be a single byte, and an object of a hundred: none is kept as it came.
      if (size > whole.length) whole = grown(whole, size, Number(announced ?? 0), limits);
      if (first !== undefined) first.copy(whole);
      first = undefined;
      chunk.copy(whole, arrived);
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

/**
 * Room for `size` bytes and more, with those that `whole` has.
 *
 * All that was announced is taken once a part of it is there: to put 32 MiB together at the end would
 * hold up everybody for 20 ms. Before, and without a length, the room doubles.
 */
function grown(whole: Buffer, size: number, announced: number, limits: GatewayLimits): Buffer {
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
    `The body came in ${pieces} chunks of ${Math.round(size / pieces)} bytes on average; from ${FREE_PIECES} chunks on they must have ${LEAST_PIECE_BYTES}.`,
  );
}

function tooLarge(what: string, limits: GatewayLimits): SkeinError {
  return new SkeinError(
    'BODY_TOO_LARGE',
    `The body has ${what}; the node accepts up to ${limits.maxBodyBytes}.`,
  );
}
