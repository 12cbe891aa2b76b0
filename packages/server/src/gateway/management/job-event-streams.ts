/**
 * Server-sent events of jobs. The store keeps recent events under growing sequence numbers, so a
 * reader is a position in them: one that is slow, or comes back with `Last-Event-ID`, reads on from
 * where it was, and a broken connection loses nothing that the store still has.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { SkeinError } from '@skein/api';
import type { Caller } from '../../access/contract.ts';
import type { JobStore } from '../../jobs/contract.ts';
import { jobEventView } from '../../jobs/view.ts';
import type { GatewayLogger } from '../logger.ts';
import type { ManagementLimits } from './contract.ts';
import { shownName } from './job-names.ts';

export interface JobEventStreams {
  /**
   * Turns the response into a stream, until either side ends it.
   * @throws SkeinError QUOTA_EXCEEDED when too many are open, NODE_DRAINING after `close`.
   */
  open(
    response: ServerResponse,
    caller: Caller,
    filter: { job?: string | undefined; group?: string | undefined; queue?: string | undefined },
    lastEventId: string | undefined,
  ): void;
  close(): void;
}

export function createJobEventStreams(
  { jobs, logger }: { readonly jobs: JobStore; readonly logger: GatewayLogger },
  limits: Pick<ManagementLimits, 'maxEventStreams' | 'heartbeatMs'>,
): JobEventStreams {
  const open = new Set<AbortController>();
  let closed = false;

  async function pump(
    response: ServerResponse,
    caller: Caller,
    filter: Parameters<JobStore['events']>[0],
    signal: AbortSignal,
  ): Promise<void> {
    const seesAll = caller.scopes.includes('admin');
    for await (const event of jobs.events(filter, signal)) {
      if (!seesAll && event.tenant !== caller.tenant) continue;
      const view = { ...jobEventView(event), job: shownName(caller, event.job) };
      const text = `id: ${event.sequence}\nevent: job\ndata: ${JSON.stringify(view)}\n\n`;
      if (!response.write(text)) await once(response, 'drain', { signal });
    }
  }

  return {
    open(response, caller, filter, lastEventId) {
      if (closed) throw new SkeinError('NODE_DRAINING', 'The node is shutting down.');
      if (open.size >= limits.maxEventStreams) {
        throw new SkeinError(
          'QUOTA_EXCEEDED',
          `${open.size} event streams are open, which is as many as the node keeps.`,
          { retryAfterMs: 5000 },
        );
      }
      const end = new AbortController();
      open.add(end);
      const heartbeat = setInterval(() => {
        if (!response.writableNeedDrain) response.write(': still here\n\n');
      }, limits.heartbeatMs);
      response.on('close', () => {
        clearInterval(heartbeat);
        open.delete(end);
        end.abort();
      });
      response.on('error', () => {});
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-accel-buffering': 'no',
      });
      response.write('retry: 1000\n\n');
      const after = /^\d{1,15}$/.test(lastEventId ?? '') ? { after: Number(lastEventId) } : {};
      const given = Object.fromEntries(
        Object.entries(filter).filter(([, value]) => value !== undefined),
      );
      pump(response, caller, { ...given, ...after }, end.signal)
        .catch((error: unknown) => {
          if (!end.signal.aborted) logger.warn({ err: error }, 'A stream of job events broke.');
        })
        // The reader comes back by itself, with the id of the last event that it has.
        .finally(() => response.end());
    },
    close() {
      closed = true;
      for (const end of open) end.abort();
    },
  };
}
