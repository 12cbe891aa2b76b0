/** `npm run bench -- generative`: what the gateway adds to an upstream, and what it makes of a bad one. */
import type { BenchReport } from '../harness/report.ts';
import {
  inTurn,
  measureGroups,
  type RowGroup,
  type RowOptions,
  together,
} from '../harness/row-group.ts';
import { ADDED } from './added.ts';
import { FAULT_ROWS } from './fault-rows.ts';
import { HEDGING } from './hedging.ts';
import { LOCAL_MODEL_ROWS } from './local-models.ts';
import { OPEN_STREAMS } from './open-streams.ts';
import { OVERLOAD } from './overload.ts';

/** A row is a file in this folder, and an entry here. Quick runs take less than a minute together. */
const GROUPS: readonly RowGroup[] = [
  ADDED,
  FAULT_ROWS,
  // The memory of another process, while the others wait for their upstreams.
  together([OPEN_STREAMS, inTurn([OVERLOAD, HEDGING])]),
  LOCAL_MODEL_ROWS,
];

export function benchGenerative(options: RowOptions): Promise<BenchReport> {
  const peer = '@portkey-ai/gateway 1.15.2, node-llama-cpp, and upstreams of our own';
  return measureGroups({ name: 'generative', peer, groups: GROUPS }, options);
}
