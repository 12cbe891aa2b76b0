/** `npm run bench -- fleet`: what several nodes do together, in simulation and as processes over a real Redis. */
import type { BenchReport } from '../harness/report.ts';
import { debianVersion } from '../harness/machine.ts';
import { measureGroups, type RowGroup, type RowOptions } from '../harness/row-group.ts';
import { FORWARDING } from './forwarding.ts';
import { SHARED } from './shared.ts';
import { SIMULATION } from './simulation.ts';

/** A row is a file in this folder, and an entry here, or in `shared.ts`. Quick runs take less than a minute together. */
const GROUPS: readonly RowGroup[] = [SIMULATION, FORWARDING, SHARED];

export function benchFleet(options: RowOptions): Promise<BenchReport> {
  const peer = `one node, and routing policies in simulation; Redis ${debianVersion('redis-server')}`;
  return measureGroups({ name: 'fleet', peer, groups: GROUPS }, options);
}
