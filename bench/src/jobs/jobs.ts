/** `npm run bench -- jobs`: the stores, workers and sandboxes, each against its peers. */
import type { BenchReport } from '../harness/report.ts';
import { debianVersion } from '../harness/machine.ts';
import { measureGroups, type RowOptions } from '../harness/row-group.ts';
import { SANDBOX_ROWS } from './sandbox-rows.ts';
import { STORE_ROWS } from './store-rows.ts';

export function benchJobs(options: RowOptions): Promise<BenchReport> {
  const peer = `BullMQ 6.7.0 and RQ ${debianVersion('python3-rq')} on Redis ${debianVersion('redis-server')}`;
  return measureGroups({ name: 'jobs', peer, groups: [STORE_ROWS, SANDBOX_ROWS] }, options);
}
