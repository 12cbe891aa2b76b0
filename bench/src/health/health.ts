/** `npm run bench -- health`: the clinical service: latency, tokens, answers, its audit log. */
import type { BenchReport } from '../harness/report.ts';
import { measureGroups, type RowGroup, type RowOptions } from '../harness/row-group.ts';
import { AUDIT } from './audit.ts';
import { INVARIANTS } from './invariants.ts';
import { LATENCY } from './latency.ts';
import { TOKENS } from './tokens.ts';

/** A row is a file in this folder, and an entry here. Quick runs take less than a minute together. */
const GROUPS: readonly RowGroup[] = [LATENCY, TOKENS, INVARIANTS, AUDIT];

export function benchHealth(options: RowOptions): Promise<BenchReport> {
  const peer = 'none';
  return measureGroups({ name: 'health', peer, groups: GROUPS }, options);
}
