/**
 * Events of jobs. The store keeps recent events under increasing sequence numbers, and a reader is a
 * position in them: a reader that is slow, or reconnects with `Last-Event-ID`, continues at its
 * position, and a broken connection loses no event that the store still has.
 */
import type { ServerEvent } from '@skein/http';
import { jobEventView, type JobStore } from '@skein/jobs';
import type { Caller } from '../../access/contract.ts';
import { seesAll, shownName, storedId } from './job-names.ts';
import type { NodeHandlers } from './options.ts';

export function jobEvents({ jobs }: { readonly jobs: JobStore }): NodeHandlers['streamJobEvents'] {
  async function* read(
    caller: Caller,
    filter: Parameters<JobStore['events']>[0],
    ended: AbortSignal,
  ): AsyncGenerator<ServerEvent> {
    for await (const event of jobs.events(filter, ended)) {
      if (!seesAll(caller) && event.tenant !== caller.tenant) continue;
      const view = { ...jobEventView(event), job: shownName(caller, event.job) };
      yield { id: event.sequence, type: 'job', data: JSON.stringify(view) };
    }
  }

  return async ({ caller, query: { job, group, queue }, lastEventId = '' }) => {
    const filter = {
      ...(job === undefined ? {} : { job: await storedId(jobs, caller, job) }),
      ...(group === undefined ? {} : { group }),
      ...(queue === undefined ? {} : { queue }),
      ...(/^\d{1,15}$/.test(lastEventId) ? { after: Number(lastEventId) } : {}),
    };
    return (ended) => read(caller, filter, ended);
  };
}
