/** `npm run bench -- data`: statements over files, each time with its peer on the same files. */
import { version } from '@duckdb/node-api';
import { debianVersion } from '../harness/machine.ts';
import type { BenchReport } from '../harness/report.ts';
import { measureGroups, type RowOptions } from '../harness/row-group.ts';
import { FLEET_ROWS } from './fleet-rows.ts';
import { SHARD_ROWS, SMALL, SPILL } from './file-rows.ts';
import { placedRows } from './place.ts';
import { QUESTION_ROWS } from './question-rows.ts';

const ON_ONE_NODE = placedRows([SMALL, SHARD_ROWS, SPILL, QUESTION_ROWS]);

export function benchData(options: RowOptions): Promise<BenchReport> {
  const peer = `DuckDB ${version()} and Dask ${debianVersion('python3-dask')} with two workers`;
  return measureGroups({ name: 'data', peer, groups: [ON_ONE_NODE, FLEET_ROWS] }, options);
}
