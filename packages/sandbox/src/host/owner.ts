/**
 * The process that owns a control group or a folder, in its name: `PID-STARTTIME-…`.
 *
 * A process id alone is reused; together with the start time of the process (in ticks since boot)
 * it is not. So the leftovers of a killed node can be distinguished from the files of a running
 * one, without a lock.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

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

/**
 * A name of this boot and this process name space, of 32 hexadecimal digits: process ids are unique only
 * within both. Containers on one machine have the same boot.
 */
export function thisMachine(): string {
  const parts = [hostname()];
  try {
    parts.push(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    parts.push(readlinkSync('/proc/self/ns/pid'));
  } catch {
    // Not Linux: the name of the machine has to do.
  }
  return createHash('sha256').update(parts.join(' ')).digest('hex').slice(0, 32);
}
