/** `npm run bench -- edge`: models on devices: sizes, errors, speeds, deltas, rollback and privacy. */
import { debianVersion } from '../harness/machine.ts';
import type { BenchReport } from '../harness/report.ts';
import { measureGroups, type RowGroup, type RowOptions } from '../harness/row-group.ts';
import { BROWSER } from './browser.ts';
import { DELTAS } from './deltas.ts';
import { DEVICE } from './device.ts';
import { OFFLOADING } from './offloading.ts';
import { QUANTISED } from './quantised.ts';
import { SIZES } from './sizes.ts';

/** A row is a file in this folder, and an entry here. Quick runs take less than a minute together. */
const GROUPS: readonly RowGroup[] = [SIZES, OFFLOADING, DEVICE, BROWSER, DELTAS, QUANTISED];

export function benchEdge(options: RowOptions): Promise<BenchReport> {
  const tools = ['bsdiff', 'xdelta3', 'zstd'].map((name) => `${name} ${debianVersion(name)}`);
  return measureGroups({ name: 'edge', peer: tools.join(', '), groups: GROUPS }, options);
}
