/**
 * Messages with payloads of any size over a connection. Runs in Node and in the browser.
 *
 * The receiver of a long payload asks for it window by window, so that it never holds more than a
 * window of what it has not taken yet, and begins at what it already has: after a lost connection
 * the same message is sent again, and only the missing bytes follow.
 */
import { SkeinError, type ErrorCode, ERRORS } from '@skein/api/errors';
import { sha256 } from '@skein/api/canonical';
import { type Chunks, type Payload, payloadIn, payloadOf } from './chunks.ts';
import type { Connection } from './connection.ts';
import {
  CHUNK_BYTES,
  decodeFrame,
  emptyFrame,
  encodeFrame,
  type Kind,
  type Message,
  type MessageOf,
  PART_BYTES,
  protocolError,
} from './messages.ts';
import { type Pace, type Reservation, type Turns, unpaced, unshared } from './pace.ts';

/** Bytes that a receiver asks for at once, at most. */
const WINDOW_BYTES = 4 * CHUNK_BYTES;
/** Frames that may wait to be handled; a window of chunks, and the messages around it. */
const MOST_WAITING = 64;
/** Bytes of frames that may wait to be handled, and of messages that may wait for their reader. */
const MOST_WAITING_BYTES = 8 * 2 ** 20;

/** A message whose payload, if it has one, is whole. */
export interface Arrival {
  readonly message: Exclude<Message, MessageOf<'want'> | MessageOf<'chunk'>>;
  readonly payload: Payload | undefined;
}

type Outgoing<M> = M extends Message ? Omit<M, 'payload'> : never;

export interface Channel {
  /**
   * Sends a message. Resolves when the other side has the whole payload, which must not change before
   * nor after: the same bytes may be sent to many. A long one is read part by part as it is asked for.
   * @throws SkeinError FEDERATION_PROTOCOL if the channel closes before.
   */
  send(
    message: Outgoing<Arrival['message']>,
    payload?: Uint8Array<ArrayBuffer> | Payload,
  ): Promise<void>;
  /** Sends no more of a payload that was announced: its message has no use any more. @param digest of it. */
  withdraw(digest: string): void;
  /** Kinds of frames that may come from now on; another one ends the channel before it is decoded. */
  takes(kinds: ReadonlySet<Kind>): void;
  /** The next message. @returns undefined when the channel has closed. @throws SkeinError of a `refuse` outside a place. */
  receive(): Promise<Arrival | undefined>;
  /** @param reason is sent to the other side. */
  close(reason?: SkeinError): void;
  readonly closed: Promise<void>;
}

export interface ChannelOptions {
  /** Pace of all channels of this process, where they are many. */
  readonly pace?: Pace;
  /** Frames of all channels are decoded in these. */
  readonly turns?: Turns;
  /** Kinds of frames that may come at first. Default: all. */
  readonly takes?: ReadonlySet<Kind>;
}

export function openChannel(
  connection: Connection,
  chunks: Chunks,
  { pace = unpaced, turns = unshared, takes }: ChannelOptions = {},
): Channel {
  let taken = takes;
  const arrivals: (Arrival & { readonly size: number })[] = [];
  const { promise: closed, resolve: settleClosed } = Promise.withResolvers<void>();
  /** Payloads that the other side has not confirmed, by digest. */
  const outgoing = new Map<
    string,
    { readonly payload: Payload; readonly done: PromiseWithResolvers<void> }
  >();
  /** Messages whose payload is on its way, by digest, with the reservation of the window that was asked for. */
  const incoming = new Map<
    string,
    {
      readonly message: Arrival['message'];
      readonly bytes: number;
      next: number;
      reservation?: Reservation;
    }
  >();
  let reader: PromiseWithResolvers<void> | undefined;
  let failure: SkeinError | undefined;
  let isClosed = false;
  let waiting = 0;
  let waitingBytes = 0;
  let unreadBytes = 0;
  let handled = Promise.resolve();
  /** Parts are sent one after the other. */
  let served = Promise.resolve();

  function wake(): void {
    reader?.resolve();
    reader = undefined;
  }
  function end(): void {
    if (isClosed) return;
    isClosed = true;
    const lost = failure ?? protocolError('The connection was closed.');
    for (const { done } of outgoing.values()) done.reject(lost);
    outgoing.clear();
    for (const { reservation } of incoming.values()) reservation?.free();
    incoming.clear();
    settleClosed();
    wake();
  }
  function fail(error: unknown): void {
    if (isClosed) return;
    const coded =
      error instanceof SkeinError
        ? error
        : protocolError('A message could not be handled.', {
            cause: error,
          });
    failure = coded;
    connection.send(encodeFrame(refusalOf(coded)));
    connection.close();
    end();
  }
  /** @param size of its frame, in bytes. */
  const deliver = (arrival: Arrival, size: number): void => {
    unreadBytes += size;
    if (unreadBytes > MOST_WAITING_BYTES) throw tooMany();
    arrivals.push({ ...arrival, size });
    wake();
  };
  const want = (digest: string, from: number, to: number): void =>
    connection.send(encodeFrame({ kind: 'want', digest, from, to }));
  /** Asks for the next window when there is memory for it. */
  function ask(digest: string, from: number): void {
    const known = incoming.get(digest);
    if (known === undefined) return;
    // Nothing is asked for meanwhile.
    known.next = Infinity;
    known.reservation?.free();
    pace.take(Math.min(WINDOW_BYTES, known.bytes - from), (reservation) => {
      if (incoming.get(digest) !== known) return reservation.free();
      known.reservation = reservation;
      known.next = from + reservation.bytes;
      want(digest, from, known.next);
    });
  }
  async function complete(digest: string): Promise<void> {
    const { message, bytes, reservation } = incoming.get(digest)!;
    reservation?.free();
    const payload = await chunks.finish(digest, bytes);
    incoming.delete(digest);
    want(digest, bytes, bytes);
    deliver({ message, payload }, 0);
  }

  async function take(frame: Uint8Array<ArrayBuffer>): Promise<void> {
    const { message, body } = await turns.run(() => decodeFrame(frame, taken));
    switch (message.kind) {
      case 'want':
        served = served.then(() => serve(message)).catch(fail);
        return;
      case 'chunk': {
        const known = incoming.get(message.digest);
        if (known === undefined) return;
        const held = message.offset + body.length;
        await chunks.append(message.digest, message.offset, body);
        discard(frame);
        if (held === known.bytes) await complete(message.digest);
        else if (held >= known.next) ask(message.digest, held);
        return;
      }
      case 'refuse':
        if (message.place === undefined) {
          failure = errorOf(message);
          connection.close();
          return end();
        }
        return deliver({ message, payload: undefined }, frame.length);
      default: {
        const described = 'payload' in message ? message.payload : undefined;
        if (described === undefined) return deliver({ message, payload: undefined }, frame.length);
        const { digest, bytes } = described;
        if (bytes <= CHUNK_BYTES && body.length === bytes) {
          return deliver({ message, payload: await payloadOf(body.slice(), digest) }, frame.length);
        }
        incoming.get(digest)?.reservation?.free();
        incoming.delete(digest);
        const held = await chunks.held(digest, bytes).catch((error: unknown) => {
          const place = 'place' in message ? message.place : undefined;
          const isClosing = error instanceof SkeinError && error.code === 'PHASE_CLOSED';
          if (!isClosing || place === undefined) throw error;
          // The sender has nothing more to send of it, and stays.
          want(digest, bytes, bytes);
          connection.send(encodeFrame({ ...refusalOf(error), place }));
          return undefined;
        });
        if (held === undefined) return;
        incoming.set(digest, { message, bytes, next: held });
        if (held === bytes) await complete(digest);
        else ask(digest, held);
      }
    }
  }

  async function serve({ digest, from, to }: MessageOf<'want'>): Promise<void> {
    const known = outgoing.get(digest);
    if (known === undefined) return;
    const { payload, done } = known;
    if (from >= payload.bytes) {
      outgoing.delete(digest);
      return done.resolve();
    }
    const end = Math.min(to, payload.bytes, from + WINDOW_BYTES);
    for (let offset = from; offset < end && !isClosed;) {
      const reservation = await new Promise<Reservation>((start) => {
        pace.take(Math.min(PART_BYTES, end - offset), start);
      });
      try {
        const { bytes, body } = emptyFrame({ kind: 'chunk', digest, offset }, reservation.bytes);
        await payload.readInto(body, offset);
        connection.send(bytes);
        await connection.flushed?.();
        offset += reservation.bytes;
        discard(bytes);
      } finally {
        reservation.free();
      }
    }
  }

  connection.listen({
    onFrame(frame) {
      waiting += 1;
      // It may be freed meanwhile.
      const { length } = frame;
      waitingBytes += length;
      if (waiting > MOST_WAITING || waitingBytes > MOST_WAITING_BYTES) return fail(tooMany());
      handled = handled
        .then(() => (isClosed ? undefined : take(frame)))
        .catch(fail)
        .finally(() => {
          waiting -= 1;
          waitingBytes -= length;
        });
    },
    onClose: () => void handled.then(end),
  });

  return {
    closed,
    takes(kinds) {
      taken = kinds;
    },
    async send(message, bytes) {
      if (isClosed) throw failure ?? protocolError('The connection was closed.');
      if (bytes === undefined) return connection.send(encodeFrame(message as Message));
      const payload =
        bytes instanceof Uint8Array ? payloadIn(bytes, await digestOfPayload(bytes)) : bytes;
      const { digest } = payload;
      const whole = { ...message, payload: { digest, bytes: payload.bytes } } as Message;
      // A payload that must be read first follows, so that no later message overtakes this one.
      if (payload.bytes === 0 || (bytes instanceof Uint8Array && payload.bytes <= CHUNK_BYTES)) {
        return connection.send(encodeFrame(whole, await payload.read()));
      }
      const known = outgoing.get(digest);
      const done = known?.done ?? Promise.withResolvers<void>();
      outgoing.set(digest, { payload, done });
      connection.send(encodeFrame(whole));
      return done.promise;
    },
    withdraw(digest) {
      outgoing.get(digest)?.done.reject(withdrawn());
      outgoing.delete(digest);
    },
    async receive() {
      for (;;) {
        const arrival = arrivals.shift();
        if (arrival !== undefined) {
          const { size, ...given } = arrival;
          unreadBytes -= size;
          return given;
        }
        if (failure !== undefined) throw failure;
        if (isClosed) return undefined;
        reader ??= Promise.withResolvers<void>();
        await reader.promise;
      }
    },
    close(reason) {
      if (reason !== undefined) return fail(reason);
      connection.close();
      end();
    },
  };
}

const withdrawn = (): SkeinError =>
  new SkeinError('PHASE_CLOSED', 'The message was withdrawn before its payload was sent.');

const tooMany = (): SkeinError =>
  new SkeinError('FEDERATION_BUSY', 'More frames came than were asked for.');

/**
 * Frees a frame that is not used any more, if its memory is its own: V8 collects it late, and the last part of a payload
 * waits for its turn to be stored. What `ws` reads of a socket has the header of a client's frame before it (RFC 6455, 5.2).
 */
function discard({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): void {
  if (byteOffset + byteLength !== buffer.byteLength) return;
  if (byteOffset === 0 || byteOffset === headerBytes(byteLength)) buffer.transfer(0);
}

/** Two bytes, what a longer length takes, and the mask. */
function headerBytes(length: number): number {
  if (length < 126) return 6;
  return length < 2 ** 16 ? 8 : 14;
}

/** WebCrypto copies what it digests: a hundred sites that are sent one model must not take a hundred. */
const digests = new WeakMap<Uint8Array, Promise<string>>();
function digestOfPayload(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const known = digests.get(bytes);
  if (known !== undefined) return known;
  const digest = sha256(bytes);
  digests.set(bytes, digest);
  return digest;
}

export function refusalOf(error: SkeinError): MessageOf<'refuse'> {
  const { code, message, retryAfterMs } = error;
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  return { kind: 'refuse', code, message: message.slice(0, 2000), ...wait };
}

/** The error that the other side sent; an unknown code comes from another version. */
export function errorOf({ code, message, retryAfterMs }: MessageOf<'refuse'>): SkeinError {
  const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'FEDERATION_PROTOCOL';
  return new SkeinError(known, message, retryAfterMs === undefined ? {} : { retryAfterMs });
}
