/**
 * What gRPC's library leaves out about bounds: a time within which the request of a unary call must
 * arrive, and the code of the error table for a message that it finds too large. Streams may wait
 * between their messages for as long as they like.
 *
 * The interceptor hands the library's own call on with two methods replaced, because the wrapper that
 * the library offers for this costs a call a tenth of its time. For the same reason there is one timer
 * for all calls: those that are still sending are in the order in which they began.
 */
import {
  status as Status,
  type ServerInterceptingCall,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import { SkeinError } from '@skein/api';
import { toGrpcError } from './grpc-status.ts';
import type { GatewayLimits } from './limits.ts';
import type { GatewayLogger } from './logger.ts';

type Call = Parameters<ServerInterceptor>[1];

/** How often late senders are looked for; a part of their time. */
const LOOKS_PER_TIMEOUT = 8;

export interface SenderBounds {
  readonly interceptor: ServerInterceptor;
  /** Stops looking. */
  close(): void;
}

export function boundSenders(
  { bodyTimeoutMs, maxBodyBytes }: Pick<GatewayLimits, 'bodyTimeoutMs' | 'maxBodyBytes'>,
  logger: GatewayLogger,
): SenderBounds {
  /** Calls whose request has not arrived, with the time at which it is late; the oldest first. */
  const sending = new Map<Call, number>();
  const sweep = setInterval(() => {
    const now = performance.now();
    for (const [call, lateAt] of sending) {
      if (now < lateAt) break;
      sending.delete(call);
      const message = `The request did not arrive within ${bodyTimeoutMs} ms.`;
      call.sendStatus(toGrpcError(new SkeinError('BODY_TOO_SLOW', message), '', logger));
    }
  }, bodyTimeoutMs / LOOKS_PER_TIMEOUT);
  sweep.unref();

  function boundTime(call: Call): void {
    const start = call.start.bind(call);
    call.start = (listener) => {
      sending.set(call, performance.now() + bodyTimeoutMs);
      start({
        onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
        onReceiveMessage: (message) => listener.onReceiveMessage(message),
        onReceiveHalfClose() {
          sending.delete(call);
          listener.onReceiveHalfClose();
        },
        onCancel() {
          sending.delete(call);
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
      sendStatus(unexplained ? toGrpcError(tooLarge(maxBodyBytes), '', logger) : status);
    };
  }

  return {
    interceptor: ({ requestStream }, call) => {
      explainSize(call);
      if (!requestStream) boundTime(call);
      return call as ServerInterceptingCall;
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
