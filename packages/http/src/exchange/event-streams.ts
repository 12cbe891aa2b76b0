/**
 * Server-sent events: the open streams of a service, their number per tenant, and their end.
 *
 * A stream is read only as fast as its client reads: its source is asked for the next event once the
 * socket has drained, so a slow reader costs no memory, and a source can skip what is outdated.
 *
 * A request is authorised once, but a stream stays open for days. The key of its caller is
 * therefore watched: when it is revoked or expires, the stream ends with a last event, `error`,
 * with the body of a refused request. Tenants share the streams, so that one tenant cannot take all
 * of them.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type ErrorCode, SkeinError } from '@skein/api';
import { SharedBudget, type ShareOf } from '@skein/api/shared-budget';
import { boundSilence, endWithin, type NodeExchange, streamHeaders } from './exchange.ts';
import type { GatewayLogger } from '../fault.ts';

export interface ServerEvent {
  /** A client that reconnects sends the last one as `Last-Event-ID`. */
  readonly id?: number;
  readonly type: string;
  /** JSON. */
  readonly data: string;
}

/** The source of a stream. @param ended aborted when either side ends it; the source must stop then. */
export type EventSource = (ended: AbortSignal) => AsyncIterable<ServerEvent>;

export interface EventStreams {
  /**
   * Turns the response into a stream, until the source or either side ends it.
   * @param watch calls back when the key of the caller is no longer valid; returns an unsubscribe
   *   function.
   * @throws SkeinError QUOTA_EXCEEDED if the tenant has too many, NODE_DRAINING after `close`.
   */
  open(
    exchange: NodeExchange,
    tenant: string,
    watch: (onEnd: (error: SkeinError) => void) => () => void,
    source: EventSource,
  ): void;
  /** Ends every stream. */
  close(): void;
}

export interface EventStreamLimits {
  /** A reader that reads nothing for so long is closed, in milliseconds; it may reconnect. */
  readonly bodyTimeoutMs: number;
  /** Milliseconds between two heartbeats. */
  readonly heartbeatMs: number;
}

/** Each may cost a poll of the service every second. */
export const MAX_EVENT_STREAMS = 128;
const RETRY_MS = 5000;
/** How long a reader may take to read the end of its stream, in milliseconds. */
const LAST_MS = 250;

/** @param shareOf default: one tenant may hold all of them. */
export function eventStreamBudget(max: number, shareOf?: ShareOf): SharedBudget {
  return new SharedBudget({
    name: 'event_streams',
    unit: 'count',
    max,
    ...(shareOf === undefined ? {} : { shareOf }),
    refuse: ({ heldByTenant, tenantLimit, held }) =>
      new SkeinError(
        'QUOTA_EXCEEDED',
        `${heldByTenant} event streams of this tenant are open, and it may have ${tenantLimit} now; the node has ${held} of ${max}.`,
        { retryAfterMs: RETRY_MS },
      ),
  });
}

/** @param fixes steps that mend an error, where the service has more specific ones than the error table. */
export function createEventStreams(
  budget: SharedBudget,
  { bodyTimeoutMs, heartbeatMs }: EventStreamLimits,
  logger: GatewayLogger,
  fixes: Partial<Record<ErrorCode, string>> = {},
): EventStreams {
  const streams = new Map<ServerResponse, (error?: SkeinError) => void>();
  let closed = false;

  function lastEvent(error: SkeinError): string {
    const fix = fixes[error.code] ?? error.row.fix;
    return `event: error\ndata: ${JSON.stringify({ ...error.toBody(), fix })}\n\n`;
  }

  async function pump(
    response: ServerResponse,
    source: EventSource,
    ended: AbortSignal,
  ): Promise<void> {
    for await (const { id, type, data } of source(ended)) {
      if (ended.aborted) return;
      const position = id === undefined ? '' : `id: ${id}\n`;
      const more = response.write(`${position}event: ${type}\ndata: ${data}\n\n`);
      if (!more) await once(response, 'drain', { signal: ended });
    }
  }

  return {
    open(exchange, tenant, watch, source) {
      const { request, response } = exchange;
      // A stream opened now would keep the listener open for as long as the client wants.
      if (closed) throw new SkeinError('NODE_DRAINING', 'The server is shutting down.');
      const { socket } = response;
      if (response.destroyed || socket === null) {
        throw new SkeinError('CANCELLED', 'The client has disconnected.');
      }
      const head = streamHeaders(exchange, 'text/event-stream; charset=utf-8');
      // Node sends the head of an answer without a body when the answer ends, which a stream does not.
      if (request.method === 'HEAD') {
        response.writeHead(200, head).end();
        return;
      }
      const hold = budget.hold(tenant);
      hold.take(1);
      const ended = new AbortController();
      const heartbeat = setInterval(() => {
        if (!response.writableNeedDrain) response.write(': still here\n\n');
      }, heartbeatMs);
      const stop = (): void => {
        clearInterval(heartbeat);
        ended.abort();
      };
      const end = (error?: SkeinError): void => {
        if (!streams.delete(response)) return;
        stop();
        const isSilent = error === undefined || response.writableEnded;
        endWithin(response, LAST_MS, isSilent ? '' : lastEvent(error));
      };
      streams.set(response, end);
      const unwatch = watch(end);
      response.once('close', () => {
        unwatch();
        hold.release();
        streams.delete(response);
        stop();
      });
      response.on('error', () => {});
      // Heartbeats keep a silent stream open, unless the reader does not read even those.
      boundSilence(response, socket, Math.max(bodyTimeoutMs, 2 * heartbeatMs));
      response.writeHead(200, head);
      response.write('retry: 1000\n\n');
      pump(response, source, ended.signal)
        .catch((error: unknown) => {
          if (!ended.signal.aborted) logger.warn({ err: error }, 'An event stream broke.');
        })
        // The reader reconnects automatically, with the id of its last event.
        .finally(() => {
          stop();
          response.end();
        });
    },

    close() {
      closed = true;
      for (const end of streams.values()) end();
    },
  };
}
