/**
 * The process that owns a control group or a folder, in its name: `PID-STARTTIME-…`.
 *
 * A process id alone comes back; together with the time at which the process started (in ticks
 * since boot) it does not. So whatever a killed node left behind can be told from what a living
 * one uses, without a lock that somebody has to release.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Start time of a process in ticks since boot; undefined when there is no such process. */
function startedAt(pid: number | 'self'): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The second field is the name in parentheses, which may hold anything: count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return state === 'Z' || state === 'X' ? undefined : fields[19];
}

/** This process, as an owner. */
export function thisOwner(): string {
  return `${process.pid}-${startedAt('self') ?? '0'}`;
}

/** A new name for something that this process owns. */
export function ownedName(): string {
  return `${thisOwner()}-${randomBytes(4).toString('hex')}`;
}

/** Whether the process still runs. @param name begins with an owner; anything else has none. */
export function ownerIsAlive(name: string): boolean {
  const owner = /^(\d+)-(\d+)(?:-|$)/.exec(name);
  return owner !== null && startedAt(Number(owner[1])) === owner[2];
}
