/**
 * The event streams that are open, of both kinds: who holds how many, and how they end.
 *
 * A request is authorised once, but a stream stays open for days. So it is watched: when the key of
 * its caller is revoked or expires, the stream ends with a last event, `error`, which holds the same
 * body as a refused request. Tenants share the streams, so that one of them cannot take them all.
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
   * @returns aborted when the stream has ended, from whichever side.
   * @throws SkeinError QUOTA_EXCEEDED when the tenant has too many, NODE_DRAINING after `close`.
   */
  open(response: ServerResponse, caller: Caller): AbortSignal;
  /** Ends every stream. */
  close(): void;
}

/** Of both kinds together; each costs a look at the node every second. */
export const MAX_EVENT_STREAMS = 128;
const RETRY_MS = 5000;
/** How long a reader may take for the end of its stream, in milliseconds. */
const LAST_MS = 250;

/** @param shareOf default: one tenant may hold them all. */
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

/** @param limits a reader that takes nothing for `bodyTimeoutMs` is closed; it may come back. */
export function createOpenStreams(
  access: Access,
  budget: SharedBudget,
  { bodyTimeoutMs, heartbeatMs }: Pick<ManagementLimits, 'bodyTimeoutMs' | 'heartbeatMs'>,
): OpenStreams {
  const streams = new Map<ServerResponse, (error?: SkeinError) => void>();
  let closed = false;

  return {
    open(response, caller) {
      // One that was opened now would hold the listener open for as long as the client likes.
      if (closed) throw new SkeinError('NODE_DRAINING', 'The node is shutting down.');
      const { socket } = response;
      if (response.destroyed || socket === null) {
        throw new SkeinError('CANCELLED', 'The client has left.');
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
      // A silent stream is kept alive by its heartbeat, unless the reader does not take even that.
      boundSilence(response, socket, Math.max(bodyTimeoutMs, 2 * heartbeatMs));
      response.writeHead(200, [
        'Content-Type',
        'text/event-stream; charset=utf-8',
        'Cache-Control',
        'no-store',
        // Tells a proxy not to hold the stream back.
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
