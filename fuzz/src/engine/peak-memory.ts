/**
 * The largest resident set of this process since the last reset. Linux reports it in
 * `/proc/self/status` and resets it on request. Other platforms use `getrusage`, which also counts
 * the memory of the parent process before this one started.
 */
import { openSync, readSync, writeFileSync } from 'node:fs';

const status = process.platform === 'linux' ? openSync('/proc/self/status', 'r') : undefined;
const text = Buffer.alloc(2048);
const LABEL = 'VmHWM:';

export function peakBytes(): number {
  if (status === undefined) return process.resourceUsage().maxRSS * 1024;
  const length = readSync(status, text, 0, text.length, 0);
  const at = text.indexOf(LABEL) + LABEL.length;
  return Number.parseInt(text.toString('latin1', at, Math.min(at + 20, length)), 10) * 1024;
}

export function forgetPeak(): void {
  if (status !== undefined) writeFileSync('/proc/self/clear_refs', '5');
}
