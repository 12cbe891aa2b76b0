/**
 * Server-sent events of jobs. The store keeps recent events under increasing sequence numbers, and
 * a reader is a position in them: a reader that is slow, or reconnects with `Last-Event-ID`,
 * continues at its position, and a broken connection loses no event that the store still has.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { jobEventView, type JobStore } from '@skein/jobs';
import type { GatewayLogger } from '@skein/http';
import type { Caller } from '../../access/contract.ts';
import type { ManagementLimits } from './contract.ts';
import { shownName } from './job-names.ts';
import type { OpenStreams } from './open-streams.ts';

export interface JobEventStreams {
  /**
   * Turns the response into a stream, until either side ends it.
   * @throws SkeinError as `OpenStreams.open` does.
   */
  open(
    response: ServerResponse,
    caller: Caller,
    filter: { job?: string | undefined; group?: string | undefined; queue?: string | undefined },
    lastEventId: string | undefined,
  ): void;
}

export function createJobEventStreams(
  { jobs, logger }: { readonly jobs: JobStore; readonly logger: GatewayLogger },
  { heartbeatMs }: Pick<ManagementLimits, 'heartbeatMs'>,
  streams: OpenStreams,
): JobEventStreams {
  async function pump(
    response: ServerResponse,
    caller: Caller,
    filter: Parameters<JobStore['events']>[0],
    signal: AbortSignal,
  ): Promise<void> {
    const seesAll = caller.scopes.includes('admin');
    for await (const event of jobs.events(filter, signal)) {
      if (signal.aborted) return;
      if (!seesAll && event.tenant !== caller.tenant) continue;
      const view = { ...jobEventView(event), job: shownName(caller, event.job) };
      const text = `id: ${event.sequence}\nevent: job\ndata: ${JSON.stringify(view)}\n\n`;
      if (!response.write(text)) await once(response, 'drain', { signal });
    }
  }

  return {
    open(response, caller, filter, lastEventId) {
      const ended = streams.open(response, caller);
      const heartbeat = setInterval(() => {
        if (!response.writableNeedDrain) response.write(': still here\n\n');
      }, heartbeatMs);
      ended.addEventListener('abort', () => clearInterval(heartbeat), { once: true });
      const after = /^\d{1,15}$/.test(lastEventId ?? '') ? { after: Number(lastEventId) } : {};
      const given = Object.fromEntries(
        Object.entries(filter).filter(([, value]) => value !== undefined),
      );
      pump(response, caller, { ...given, ...after }, ended)
        .catch((error: unknown) => {
          if (!ended.aborted) logger.warn({ err: error }, 'A stream of job events broke.');
        })
        // The reader reconnects by itself, with the id of its last event.
        .finally(() => response.end());
    },
  };
}
