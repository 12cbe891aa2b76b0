/** `npm run bench -- jobs`: the stores, workers and sandboxes, each beside its peers. */
import type { BenchReport } from '../harness/report.ts';
import { debianVersion } from '../harness/machine.ts';
import type { RowGroup, RowOptions } from './rows.ts';
import { SANDBOX_ROWS } from './sandbox-rows.ts';
import { STORE_ROWS } from './store-rows.ts';

const GROUPS: readonly RowGroup[] = [STORE_ROWS, SANDBOX_ROWS];

export async function benchJobs(options: RowOptions): Promise<BenchReport> {
  const results: Record<string, number> = {};
  const details: Record<string, unknown> = {};
  for (const group of GROUPS) {
    const measured = await group.measure(options);
    Object.assign(results, measured.results);
    Object.assign(details, measured.details);
  }
  return {
    name: 'jobs',
    peer: `BullMQ 6.7.0 and RQ ${debianVersion('python3-rq')} on Redis ${debianVersion('redis-server')}`,
    measures: GROUPS.flatMap((group) => group.measures),
    results,
    details,
  };
}
