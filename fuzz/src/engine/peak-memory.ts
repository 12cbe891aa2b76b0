/**
 * The largest resident set of this process since the last reset, which Linux makes on request. It is at least
 * as large as the starting process's, which is smaller.
 */
import { writeFileSync } from 'node:fs';

export const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;

export function forgetPeak(): void {
  if (process.platform === 'linux') writeFileSync('/proc/self/clear_refs', '5');
}
