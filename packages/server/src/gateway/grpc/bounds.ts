/**
 * Bounds the cost of a call in this order: the caller is identified from the metadata; the message
 * is counted against the tenant's budget as it arrives and as it is decompressed; only then is it
 * decoded. The gRPC library bounds none of this:
 *
 * - A call without the key that it needs is answered from its headers, and its data are not read.
 * - A request must arrive within a timeout; on a stream, each message from its first byte on.
 *   Between messages a stream may pause for any time.
 * - An answer must be read within the same timeout.
 * - Data that have arrived and are not answered count towards the budget of all bodies,
 *   decompressed.
 * - Calls without a key are few and small. A stream ends when its key does.
 *
 * The interceptor passes the library's own call on with a few methods replaced, because the wrapper
 * that the library offers for this costs a tenth of a call's time. For the same reason one timer
 * serves all calls.
 */
import { constants as http2, type ServerHttp2Stream } from 'node:http2';
import type { Metadata, ServerInterceptingCall, ServerInterceptor } from '@grpc/grpc-js';
import { SkeinError } from '@skein/api';
import { freePiece } from '@skein/api/owned-memory';
import type { BudgetHold, SharedBudget } from '@skein/api/shared-budget';
import {
  bodyBudget,
  decompress,
  type GatewayLimits,
  type GatewayLogger,
  isEncoding,
  PeerTimeouts,
} from '@skein/http';
import type { Caller } from '../../access/contract.ts';
import { stopAnswered, type ConnectionBounds } from './connections.ts';
import type { GrpcLimits } from './limits.ts';
import { watchKeylessLoad, type KeylessLoadListener } from './keyless-load.ts';
import { admit, authorizeCall, type CallRule } from './rules.ts';
import { toGrpcError } from './status.ts';
import { MessageReader, PREFIX_BYTES, MessagePieces } from './message-framer.ts';
import { UnreadAnswers } from './unread-answers.ts';
import type { FaceAccess } from '../../access/refused-logins.ts';
import { reportRefusal, type RefusalListener } from '../rules.ts';

/** The library's call, with members that its types do not declare. */
type Call = Parameters<ServerInterceptor>[1] & {
  readonly stream: ServerHttp2Stream;
  readonly metadata: Metadata;
  readonly metadataSent: boolean;
  readonly receivedHalfClose: boolean;
  checkCancelled(): boolean;
  maybeSendMetadata(): void;
  decoder: { write(bytes: Buffer): Buffer[] };
  handleDataFrame(bytes: Buffer): void;
  decompressMessage(message: Buffer, encoding: string): Buffer | Promise<Buffer>;
};

/** Callbacks for when bytes of a call are expected and released. */
interface CallEvents {
  readonly onBytes: () => void;
  readonly onRead?: () => void;
  readonly onMessage: () => void;
  readonly onAnswered: () => void;
}

const ACCEPTED_ENCODINGS = 'identity,deflate,gzip';
/** Checks for late peers per timeout. */
const SWEEPS_PER_TIMEOUT = 8;
/** Retry time for streams: some of the open ones have ended by then. */
const RETRY_MS = 5000;

export interface BoundsOptions {
  readonly limits: Pick<GatewayLimits, 'bodyTimeoutMs' | 'maxBodyBytes'> & GrpcLimits;
  /** Rules by path. */
  readonly rules: ReadonlyMap<string, CallRule>;
  readonly access: FaceAccess;
  readonly connections: ConnectionBounds;
  readonly bodies: SharedBudget;
  readonly streams: SharedBudget;
  readonly refused?: RefusalListener | undefined;
  readonly onKeylessLoad?: KeylessLoadListener | undefined;
  readonly logger: GatewayLogger;
}

export interface CallBounds {
  readonly interceptor: ServerInterceptor;
  /** Stops the timer. */
  close(): void;
}

export function boundCalls(options: BoundsOptions): CallBounds {
  const { rules, access, connections, bodies, streams, refused, logger } = options;
  const { bodyTimeoutMs, maxBodyBytes, maxKeylessCalls, maxKeylessStreams } = options.limits;
  const maxControlBytes = Math.min(options.limits.maxControlBytes, maxBodyBytes);
  const keylessBodies = bodyBudget(options.limits.maxKeylessBytes);
  /** Unary calls without a key, oldest first. */
  const keyless = new Map<Call, (error: SkeinError) => void>();
  const keylessLoad = watchKeylessLoad(options.onKeylessLoad ?? (() => {}));

  const senders = new PeerTimeouts<Call>(bodyTimeoutMs, (call) => {
    const message = `The request did not arrive within ${bodyTimeoutMs} ms.`;
    call.sendStatus(toGrpcError(new SkeinError('BODY_TOO_SLOW', message), '', logger));
  });
  const readers = new PeerTimeouts<Call>(bodyTimeoutMs, (call) => {
    logger.debug({ afterMs: bodyTimeoutMs }, 'A client does not read its answer.');
    // No status can be sent any more: it would wait behind the answer.
    call.stream.close(http2.NGHTTP2_CANCEL);
  });
  const sweep = setInterval(() => {
    const now = performance.now();
    senders.sweep(now);
    readers.sweep(now);
  }, bodyTimeoutMs / SWEEPS_PER_TIMEOUT);
  sweep.unref();

  /** Counts one stream of its connection and of the node. @throws SkeinError QUOTA_EXCEEDED. */
  function holdStream(call: Call, caller: Caller | undefined): () => void {
    const tenant = caller?.tenant ?? '';
    const connection = caller === undefined ? connections.of(call.stream) : undefined;
    if (connection !== undefined && connection.keylessStreams >= maxKeylessStreams) {
      throw new SkeinError(
        'QUOTA_EXCEEDED',
        `The connection has ${maxKeylessStreams} open streams that need no key, which is the limit.`,
        { retryAfterMs: RETRY_MS },
      );
    }
    streams.take(tenant, 1);
    if (connection !== undefined) connection.keylessStreams++;
    return () => {
      streams.give(tenant, 1);
      if (connection !== undefined) connection.keylessStreams--;
    };
  }

  /** Ends the oldest call without a key for a new one: a normal call is answered long before. */
  function displaceKeyless(): void {
    const [oldest] = keyless;
    if (oldest === undefined || keyless.size < maxKeylessCalls) return;
    const [call, end] = oldest;
    keyless.delete(call);
    if (call.metadataSent) {
      // Its answer waits for the client to read, and a status would wait behind it.
      call.stream.close(http2.NGHTTP2_CANCEL);
      return;
    }
    end(
      new SkeinError(
        'QUOTA_EXCEEDED',
        `${maxKeylessCalls} newer calls without a key are open, which is the limit of the node.`,
        { retryAfterMs: RETRY_MS },
      ),
    );
  }

  /** A call whose request is one message. */
  function unaryEvents(call: Call): CallEvents {
    senders.start(call, performance.now());
    return { onBytes: () => {}, onMessage: () => {}, onAnswered: () => {} };
  }

  /** While the node does not read because its queue is full, no sender is late. */
  function streamEvents(
    call: Call,
    hold: BudgetHold,
    reader: MessageReader,
    unread: Size[],
  ): CallEvents {
    /** Bytes of messages that are held until they are answered. */
    const unanswered: number[] = [];
    const awaitRest = (): void => {
      if (reader.partial && !senders.has(call)) senders.start(call, performance.now());
    };
    return {
      onBytes() {
        if (unread.length > 0) senders.clear(call);
        else awaitRest();
      },
      onRead: awaitRest,
      onMessage() {
        senders.clear(call);
        unanswered.push(unread.shift()?.held ?? 0);
      },
      onAnswered: () => hold.give(unanswered.shift() ?? 0),
    };
  }

  function watch(call: Call, isStream: boolean, rule: CallRule, caller: Caller | undefined): void {
    const tenant = caller?.tenant ?? '';
    const maxBytes = rule.tensors ? maxBodyBytes : maxControlBytes;
    const newHold = (): BudgetHold => (caller === undefined ? keylessBodies : bodies).hold(tenant);
    const hold = newHold();
    const connection = connections.of(call.stream);
    const stranger = caller === undefined ? connection : undefined;
    const reader = new MessageReader(maxBytes, () => hold.isMuchHeld);
    /** Messages that have arrived and are not passed on yet, in order. */
    const unread: Size[] = [];
    const leaving: (() => void)[] = [];
    let answers: UnreadAnswers | undefined;
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      answers?.leave();
      senders.clear(call);
      readers.clear(call);
      reader.free(() => hold.release());
      for (const leave of leaving) leave();
    };
    const refuse = (error: unknown): void => {
      end();
      const status = toGrpcError(error, '', logger);
      if (error instanceof SkeinError && error.code === 'ENCODING_UNSUPPORTED') {
        status.metadata.set('grpc-accept-encoding', ACCEPTED_ENCODINGS);
      }
      call.sendStatus(status);
    };
    const take = (bytes: number): void => {
      if (over) throw new SkeinError('CANCELLED', 'The call has ended.');
      hold.take(bytes);
    };
    if (isStream) {
      leaving.push(holdStream(call, caller));
      if (caller !== undefined) leaving.push(access.watch(caller, refuse));
    } else if (caller === undefined) {
      displaceKeyless();
      keyless.set(call, refuse);
      leaving.push(() => keyless.delete(call));
    }
    const events = isStream ? streamEvents(call, hold, reader, unread) : unaryEvents(call);
    const give = (bytes: number): void => hold.give(bytes);
    admit(call.metadata, {
      caller,
      take,
      give,
      checkAnswer: (bytes) => hold.checkAnswer(bytes),
      newHold,
      answered: () => events.onAnswered(),
    });

    const start = call.start.bind(call);
    const handleDataFrame = call.handleDataFrame.bind(call);
    const startRead = call.startRead.bind(call);
    const sendMessage = call.sendMessage.bind(call);
    const sendStatus = call.sendStatus.bind(call);
    let messages: Buffer[] = [];
    call.decoder = { write: () => messages };
    call.handleDataFrame = (bytes) => {
      connections.count(stranger);
      if (over) return;
      try {
        hold.take(bytes.length);
        messages = reader.write(bytes);
      } catch (error) {
        refuse(error);
        return;
      }
      handleDataFrame(bytes);
      events.onBytes();
    };
    call.decompressMessage = (message, encoding) => {
      const size = { held: message.length };
      unread.push(size);
      if (message[0] !== 1) return message.subarray(PREFIX_BYTES);
      const compressed = message.subarray(PREFIX_BYTES);
      const arrived = message.length;
      return inflate(compressed, encoding, {
        tenant,
        maxBytes,
        take,
        isMuchHeld: () => hold.isMuchHeld,
      }).then(
        (inflated) => {
          freePiece(message);
          hold.give(arrived);
          size.held = inflated.length;
          return inflated;
        },
        (error: unknown) => {
          if (!over) refuse(error);
          throw error;
        },
      );
    };
    if (events.onRead !== undefined) {
      const { onRead } = events;
      call.startRead = () => {
        if (!over) onRead();
        startRead();
      };
    }
    call.sendMessage = (message, done) => {
      if (!over) readers.start(call, performance.now());
      if (!over && message instanceof MessagePieces) {
        answers ??= new UnreadAnswers(connection, newHold);
        answers.add(message);
      }
      const taken = (): void => {
        readers.clear(call);
        if (message instanceof MessagePieces) answers?.taken(message);
        if (!(message instanceof MessagePieces) || message.endsAnswer) events.onAnswered();
        done();
      };
      if (message instanceof MessagePieces) sendPieces(call, message, taken);
      else sendMessage(message, taken);
    };
    call.sendStatus = (status) => {
      sendStatus(status);
      stopReceiving(call);
      // Data that precede the status must be read in time, too.
      if (call.stream.writableLength > 0) readers.start(call, performance.now());
    };
    call.start = (listener) => {
      start({
        onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
        onReceiveMessage(message: unknown) {
          if (over) return;
          events.onMessage();
          listener.onReceiveMessage(message);
        },
        onReceiveHalfClose() {
          senders.clear(call);
          listener.onReceiveHalfClose();
        },
        onCancel() {
          end();
          listener.onCancel();
        },
      });
    };
  }

  return {
    interceptor: ({ path, requestStream, responseStream }, base) => {
      const call = base as Call;
      const rule = rules.get(path);
      try {
        if (rule === undefined) throw new Error(`The method ${path} has no rule.`);
        const caller = authorizeCall(access, rule.needs, call.metadata, call);
        if (caller === undefined) {
          keylessLoad.count();
        } else {
          const connection = connections.of(call.stream);
          if (connection !== undefined) connections.know(connection, caller.tenant);
        }
        watch(call, requestStream || responseStream, rule, caller);
      } catch (error) {
        keylessLoad.count();
        if (rule?.tensors) reportRefusal(refused, '', false, error);
        call.sendStatus(toGrpcError(error, '', logger));
      }
      return call as unknown as ServerInterceptingCall;
    },
    close() {
      clearInterval(sweep);
      keylessLoad.close();
    },
  };
}

/** @throws SkeinError ENCODING_UNSUPPORTED, or what `decompress` throws. */
async function inflate(
  compressed: Buffer,
  encoding: string,
  limits: Parameters<typeof decompress>[2],
): Promise<Buffer> {
  if (isEncoding(encoding)) return decompress(compressed, encoding, limits);
  throw new SkeinError(
    'ENCODING_UNSUPPORTED',
    encoding === 'identity'
      ? 'The message is marked as compressed, but grpc-encoding names no compression.'
      : `The message is compressed with an encoding that is not one of ${ACCEPTED_ENCODINGS}.`,
  );
}

/** Sends a message as the library does, but without a copy. */
function sendPieces(call: Call, message: MessagePieces, taken: () => void): void {
  if (call.checkCancelled()) return;
  call.maybeSendMetadata();
  // The library ends a call whose stream fails.
  message.writeTo(call.stream, (error) => {
    if (error === undefined || error === null) taken();
  });
}

/** Bytes that a message holds. */
interface Size {
  held: number;
}

/** Discards the rest of the request after a status. */
function stopReceiving(call: Call): void {
  if (call.receivedHalfClose) return;
  const { stream } = call;
  if (stream.writableEnded && !call.metadataSent) stopAnswered(stream);
  // The library then sends the status as trailers; send them before the rest.
  else stream.once('wantTrailers', () => setImmediate(stopAnswered, stream));
}
