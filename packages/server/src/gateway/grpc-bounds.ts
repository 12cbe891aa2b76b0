/**
 * What gRPC's library leaves out about bounds, for both directions:
 *
 * - A request must arrive within a time; of a stream, each message from its first byte on. Between
 *   its messages a stream may wait for as long as it likes.
 * - An answer must be taken within the same time.
 * - What has arrived and is not answered counts for the budget of all bodies.
 * - A message that the library finds too large gets the code of the error table.
 *
 * The interceptor hands the library's own call on with a few methods replaced, because the wrapper that
 * the library offers for this costs a call a tenth of its time. For the same reason there is one timer
 * for all calls.
 */
import { constants as http2, type ServerHttp2Stream } from 'node:http2';
import {
  status as Status,
  type ServerInterceptingCall,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import { SkeinError } from '@skein/api';
import type { SharedBudget } from '../access/shared-budget.ts';
import { toGrpcError } from './grpc-status.ts';
import type { GatewayLimits } from './limits.ts';
import type { GatewayLogger } from './logger.ts';
import { MessageFramer, PREFIX_BYTES } from './message-framer.ts';
import { Patience } from './patience.ts';

/** The library's call, with what it has and does not declare. */
type Call = Parameters<ServerInterceptor>[1] & {
  readonly stream: ServerHttp2Stream;
  handleDataFrame(bytes: Buffer): void;
};

/** What happens to one call. Counting throws when it is too much. */
interface CallEvents {
  readonly onBytes: (bytes: Buffer) => void;
  readonly onRead?: () => void;
  readonly onMessage: (message: unknown) => void;
  readonly onRequestEnd: () => void;
  readonly onAnswered: () => void;
  readonly onOver: () => void;
}

/** How often late peers are looked for; a part of their time. */
const LOOKS_PER_TIMEOUT = 8;

export interface CallBounds {
  readonly interceptor: ServerInterceptor;
  /** Stops looking. */
  close(): void;
}

export function boundCalls(
  { bodyTimeoutMs, maxBodyBytes }: Pick<GatewayLimits, 'bodyTimeoutMs' | 'maxBodyBytes'>,
  bodies: SharedBudget,
  logger: GatewayLogger,
): CallBounds {
  const senders = new Patience<Call>(bodyTimeoutMs, (call) => {
    const message = `The request did not arrive within ${bodyTimeoutMs} ms.`;
    call.sendStatus(toGrpcError(new SkeinError('BODY_TOO_SLOW', message), '', logger));
  });
  const readers = new Patience<Call>(bodyTimeoutMs, (call) => {
    logger.debug({ afterMs: bodyTimeoutMs }, 'A client does not take its answer.');
    // Nothing more can be said to it: a status would wait behind the answer.
    call.stream.close(http2.NGHTTP2_CANCEL);
  });
  const sweep = setInterval(() => {
    const now = performance.now();
    senders.sweep(now);
    readers.sweep(now);
  }, bodyTimeoutMs / LOOKS_PER_TIMEOUT);
  sweep.unref();

  /** A call whose request is one message. */
  function unaryEvents(call: Call): CallEvents {
    const hold = bodies.hold('');
    let arrived = 0;
    senders.expect(call, performance.now());
    return {
      onBytes({ length }) {
        hold.take(length);
        arrived += length;
      },
      onMessage(message) {
        // It is larger than what arrived when it was compressed.
        const rest = Buffer.isBuffer(message) ? message.length - arrived : 0;
        if (rest > 0) hold.take(rest);
      },
      onRequestEnd: () => senders.forget(call),
      onAnswered: () => {},
      onOver: () => hold.release(),
    };
  }

  /** While the node does not read on, because enough waits already, no sender is late. */
  function streamEvents(call: Call): CallEvents {
    const hold = bodies.hold('');
    const framer = new MessageFramer();
    /** Sizes of messages as they arrived, and as they are held until they are answered. */
    const arrived: number[] = [];
    const unanswered: number[] = [];
    const awaitRest = (): void => {
      if (framer.partial && !senders.expects(call)) senders.expect(call, performance.now());
    };
    return {
      onBytes(bytes) {
        hold.take(bytes.length);
        const before = arrived.length;
        framer.feed(bytes, arrived);
        if (arrived.length > before) senders.forget(call);
        else awaitRest();
      },
      onRead: awaitRest,
      onMessage(message) {
        senders.forget(call);
        const size = arrived.shift() ?? 0;
        const held = Buffer.isBuffer(message) ? message.length + PREFIX_BYTES : size;
        if (held > size) hold.take(held - size);
        unanswered.push(Math.max(held, size));
      },
      onRequestEnd: () => senders.forget(call),
      onAnswered: () => hold.give(unanswered.shift() ?? 0),
      onOver: () => hold.release(),
    };
  }

  function watch(call: Call, { onBytes, onRead, ...events }: CallEvents): void {
    let over = false;
    const end = (): void => {
      over = true;
      senders.forget(call);
      readers.forget(call);
      events.onOver();
    };
    /** Counting may find that it is too much; then the call ends. */
    const counted = (count: () => void): boolean => {
      if (over) return false;
      try {
        count();
        return true;
      } catch (error) {
        end();
        call.sendStatus(toGrpcError(error, '', logger));
        return false;
      }
    };
    const start = call.start.bind(call);
    const handleDataFrame = call.handleDataFrame.bind(call);
    const startRead = call.startRead.bind(call);
    const sendMessage = call.sendMessage.bind(call);
    call.handleDataFrame = (bytes) => {
      if (counted(() => onBytes(bytes))) handleDataFrame(bytes);
    };
    if (onRead !== undefined) {
      call.startRead = () => {
        if (!over) onRead();
        startRead();
      };
    }
    call.sendMessage = (message, done) => {
      if (!over) readers.expect(call, performance.now());
      sendMessage(message, () => {
        readers.forget(call);
        events.onAnswered();
        done();
      });
    };
    call.start = (listener) => {
      start({
        onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
        onReceiveMessage(message: unknown) {
          if (counted(() => events.onMessage(message))) listener.onReceiveMessage(message);
        },
        onReceiveHalfClose() {
          events.onRequestEnd();
          listener.onReceiveHalfClose();
        },
        onCancel() {
          end();
          listener.onCancel();
        },
      });
    };
  }

  /** The library ends a call with too large a message by itself, and knows no codes. */
  function explainSize(call: Call): void {
    const sendStatus = call.sendStatus.bind(call);
    call.sendStatus = (status) => {
      const unexplained = status.code === Status.RESOURCE_EXHAUSTED && !status.metadata;
      sendStatus.call(call, unexplained ? toGrpcError(tooLarge(maxBodyBytes), '', logger) : status);
    };
  }

  return {
    interceptor: ({ requestStream }, base) => {
      const call = base as Call;
      explainSize(call);
      watch(call, requestStream ? streamEvents(call) : unaryEvents(call));
      return call as unknown as ServerInterceptingCall;
    },
    close: () => clearInterval(sweep),
  };
}

function tooLarge(bytes: number): SkeinError {
  return new SkeinError(
    'BODY_TOO_LARGE',
    `The message is larger than ${bytes} bytes, which is what the node accepts.`,
  );
}
