import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { summaryOf, type RunEpoch, type RunSummary } from '@skein/api';
import type { Records } from '../contract.ts';
import type { Calls } from './calls.ts';

export function runCalls({
  run: call,
  durable,
}: Calls): Pick<Records, 'putRun' | 'runs' | 'run' | 'removeRun'> {
  return {
    async putRun(run) {
      const summary = summaryOf(run);
      const kept = (await call(
        'put-run',
        run.id,
        run.status,
        run.startedAt,
        run.updatedAt,
        JSON.stringify(summary),
        JSON.stringify(run.epochs),
      )) as string | null;
      // A run older than all kept ones is trimmed at once.
      return kept === null ? summary : (readJson(kept, JSON_BOUNDS.record) as RunSummary);
    },
    async runs({ status, limit, after }) {
      const place = after === undefined ? '' : `${after.startedAt} ${after.id}`;
      const summaries = (await call('runs', status ?? '', limit, place)) as string[];
      return summaries.map((each) => readJson(each, JSON_BOUNDS.record) as RunSummary);
    },
    async run(id) {
      const [summary, epochs] = (await call('run', id)) as [string | null, string];
      if (summary === null) return undefined;
      const { last: _, ...rest } = readJson(summary, JSON_BOUNDS.record) as RunSummary;
      return { ...rest, epochs: readJson(epochs, JSON_BOUNDS.record) as RunEpoch[] };
    },
    async removeRun(id) {
      return (await durable('remove-run', id)) === '1';
    },
  };
}
