/**
 * Refused calls in the audit log. A caller without a token could fill the disk with them, so at most
 * `MOST_A_MINUTE` are entered one by one; the next entry counts the others.
 */
import type { AuditLog } from '../audit/audit-log.ts';

const MOST_A_MINUTE = 120;
const MINUTE_MS = 60_000;

export type RecordRefusal = (why: string, caller?: string) => Promise<void>;

export function createRefusals(log: AuditLog, now: () => number): RecordRefusal {
  let minute = 0;
  let entered = 0;
  let uncounted = 0;
  return async (why, caller) => {
    const current = Math.floor(now() / MINUTE_MS);
    if (current !== minute) [minute, entered] = [current, 0];
    if (entered >= MOST_A_MINUTE) {
      uncounted++;
      return;
    }
    entered++;
    const before = uncounted;
    uncounted = 0;
    try {
      await log.append({
        kind: 'refusal',
        why: why.slice(0, 300),
        uncounted: before,
        ...(caller === undefined ? {} : { caller }),
      });
    } catch (error) {
      uncounted += before + 1;
      throw error;
    }
  };
}
