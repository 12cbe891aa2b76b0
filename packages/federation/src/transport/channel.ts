/**
 * Messages with payloads of any size over a connection. Runs in Node and in the browser.
 *
 * The receiver of a long payload asks for it window by window, so that it never holds more than a
 * window of what it has not taken yet, and begins at what it already has: after a lost connection
 * the same message is sent again, and only the missing bytes follow.
 */
import { SkeinError, type ErrorCode, ERRORS } from '@skein/api/errors';
import { sha256 } from '@skein/api/canonical';
import { type Chunks, type Payload, payloadOf } from './chunks.ts';
import type { Connection } from './connection.ts';
import { CHUNK_BYTES, decodeFrame, encodeFrame, type Message, type MessageOf } from './messages.ts';

/** Bytes that a receiver asks for at once. */
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
   * nor after: the same bytes may be sent to many.
   * @throws SkeinError FEDERATION_PROTOCOL if the channel closes before.
   */
  send(message: Outgoing<Arrival['message']>, payload?: Uint8Array<ArrayBuffer>): Promise<void>;
  /** The next message. @returns undefined when the channel has closed. @throws SkeinError of a `refuse` outside a place. */
  receive(): Promise<Arrival | undefined>;
  /** @param reason is told to the other side. */
  close(reason?: SkeinError): void;
  readonly closed: Promise<void>;
}

export function openChannel(connection: Connection, chunks: Chunks): Channel {
  const arrivals: (Arrival & { readonly size: number })[] = [];
  const { promise: closed, resolve: settleClosed } = Promise.withResolvers<void>();
  /** Payloads that the other side has not confirmed, by digest. */
  const outgoing = new Map<
    string,
    { readonly bytes: Uint8Array<ArrayBuffer>; readonly done: PromiseWithResolvers<void> }
  >();
  /** Messages whose payload is on its way, by digest. */
  const incoming = new Map<string, { message: Arrival['message']; bytes: number; next: number }>();
  let reader: PromiseWithResolvers<void> | undefined;
  let failure: SkeinError | undefined;
  let isClosed = false;
  let waiting = 0;
  let waitingBytes = 0;
  let unreadBytes = 0;
  let handled = Promise.resolve();

  function wake(): void {
    reader?.resolve();
    reader = undefined;
  }
  function end(): void {
    if (isClosed) return;
    isClosed = true;
    const lost = failure ?? new SkeinError('FEDERATION_PROTOCOL', 'The connection was closed.');
    for (const { done } of outgoing.values()) done.reject(lost);
    outgoing.clear();
    incoming.clear();
    settleClosed();
    wake();
  }
  function fail(error: unknown): void {
    if (isClosed) return;
    const coded =
      error instanceof SkeinError
        ? error
        : new SkeinError('FEDERATION_PROTOCOL', 'A message could not be handled.', {
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
  function ask(digest: string, from: number, bytes: number): void {
    const to = Math.min(bytes, from + WINDOW_BYTES);
    connection.send(encodeFrame({ kind: 'want', digest, from, to }));
    const known = incoming.get(digest);
    if (known) known.next = to;
  }
  async function complete(digest: string): Promise<void> {
    const { message, bytes } = incoming.get(digest)!;
    const payload = await chunks.finish(digest, bytes);
    incoming.delete(digest);
    ask(digest, bytes, bytes);
    deliver({ message, payload }, 0);
  }

  async function take(frame: Uint8Array<ArrayBuffer>): Promise<void> {
    const { message, body } = decodeFrame(frame);
    switch (message.kind) {
      case 'want':
        return serve(message);
      case 'chunk': {
        const known = incoming.get(message.digest);
        if (known === undefined) return;
        await chunks.append(message.digest, message.offset, body);
        const held = message.offset + body.length;
        if (held === known.bytes) await complete(message.digest);
        else if (held >= known.next) ask(message.digest, held, known.bytes);
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
        const held = await chunks.held(digest, bytes);
        incoming.set(digest, { message, bytes, next: held });
        if (held === bytes) await complete(digest);
        else ask(digest, held, bytes);
      }
    }
  }

  function serve({ digest, from, to }: MessageOf<'want'>): void {
    const known = outgoing.get(digest);
    if (known === undefined) return;
    const { bytes, done } = known;
    if (from >= bytes.length) {
      outgoing.delete(digest);
      return done.resolve();
    }
    for (let offset = from; offset < Math.min(to, from + WINDOW_BYTES); offset += CHUNK_BYTES) {
      const part = bytes.subarray(offset, Math.min(offset + CHUNK_BYTES, to));
      connection.send(encodeFrame({ kind: 'chunk', digest, offset }, part));
    }
  }

  connection.listen({
    onFrame(frame) {
      waiting += 1;
      waitingBytes += frame.length;
      if (waiting > MOST_WAITING || waitingBytes > MOST_WAITING_BYTES) return fail(tooMany());
      handled = handled
        .then(() => (isClosed ? undefined : take(frame)))
        .catch(fail)
        .finally(() => {
          waiting -= 1;
          waitingBytes -= frame.length;
        });
    },
    onClose: () => void handled.then(end),
  });

  return {
    closed,
    async send(message, bytes) {
      if (isClosed)
        throw failure ?? new SkeinError('FEDERATION_PROTOCOL', 'The connection was closed.');
      if (bytes === undefined) return connection.send(encodeFrame(message as Message));
      const digest = await digestOfPayload(bytes);
      const whole = { ...message, payload: { digest, bytes: bytes.length } } as Message;
      if (bytes.length <= CHUNK_BYTES) return connection.send(encodeFrame(whole, bytes));
      const known = outgoing.get(digest);
      const done = known?.done ?? Promise.withResolvers<void>();
      outgoing.set(digest, { bytes, done });
      connection.send(encodeFrame(whole));
      return done.promise;
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

const tooMany = (): SkeinError =>
  new SkeinError('FEDERATION_BUSY', 'More frames came than were asked for.');

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

/** The error that the other side told; an unknown code is of another version. */
export function errorOf({ code, message, retryAfterMs }: MessageOf<'refuse'>): SkeinError {
  const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'FEDERATION_PROTOCOL';
  return new SkeinError(known, message, retryAfterMs === undefined ? {} : { retryAfterMs });
}
