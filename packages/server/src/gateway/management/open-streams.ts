/**
 * The open event streams of both kinds: their number per tenant, and their end.
 *
 * A request is authorised once, but a stream stays open for days. The key of its caller is
 * therefore watched: when it is revoked or expires, the stream ends with a last event, `error`,
 * with the body of a refused request. Tenants share the streams, so that one tenant cannot take all
 * of them.
 */
import type { ServerResponse } from 'node:http';
import { SkeinError } from '@skein/api';
import { SharedBudget, type ShareOf } from '@skein/api/shared-budget';
import { boundSilence, endWithin, SAFE_HEADERS } from '@skein/http';
import type { Access, Caller } from '../../access/contract.ts';
import type { ManagementLimits } from './contract.ts';

export interface OpenStreams {
  /**
   * Turns the response into a stream.
   * @returns a signal that is aborted when either side has ended the stream.
   * @throws SkeinError QUOTA_EXCEEDED if the tenant has too many, NODE_DRAINING after `close`.
   */
  open(response: ServerResponse, caller: Caller): AbortSignal;
  /** Ends every stream. */
  close(): void;
}

/** Of both kinds together; each costs a poll of the node every second. */
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

/** @param limits a reader that reads nothing for `bodyTimeoutMs` is closed; it may reconnect. */
export function createOpenStreams(
  access: Access,
  budget: SharedBudget,
  { bodyTimeoutMs, heartbeatMs }: Pick<ManagementLimits, 'bodyTimeoutMs' | 'heartbeatMs'>,
): OpenStreams {
  const streams = new Map<ServerResponse, (error?: SkeinError) => void>();
  let closed = false;

  return {
    open(response, caller) {
      // A stream opened now would keep the listener open for as long as the client wants.
      if (closed) throw new SkeinError('NODE_DRAINING', 'The node is shutting down.');
      const { socket } = response;
      if (response.destroyed || socket === null) {
        throw new SkeinError('CANCELLED', 'The client has disconnected.');
      }
      const hold = budget.hold(caller.tenant);
      hold.take(1);
      const ended = new AbortController();
      const end = (error?: SkeinError): void => {
        if (!streams.delete(response)) return;
        ended.abort();
        const last = error === undefined ? '' : JSON.stringify(error.toBody());
        endWithin(response, LAST_MS, last === '' ? '' : `event: error\ndata: ${last}\n\n`);
      };
      streams.set(response, end);
      const unwatch = access.watch(caller, end);
      response.once('close', () => {
        unwatch();
        hold.release();
        streams.delete(response);
        ended.abort();
      });
      response.on('error', () => {});
      // Heartbeats keep a silent stream open, unless the reader does not read even those.
      boundSilence(response, socket, Math.max(bodyTimeoutMs, 2 * heartbeatMs));
      response.writeHead(200, [
        'Content-Type',
        'text/event-stream; charset=utf-8',
        'Cache-Control',
        'no-store',
        // Tells a proxy not to buffer the stream.
        'X-Accel-Buffering',
        'no',
        ...SAFE_HEADERS,
      ]);
      response.write('retry: 1000\n\n');
      return ended.signal;
    },

    close() {
      closed = true;
      for (const end of streams.values()) end();
    },
  };
}
