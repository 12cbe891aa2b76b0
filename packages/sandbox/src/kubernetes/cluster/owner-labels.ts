/**
 * Whose sandbox a Job is, and whether its worker still lives.
 *
 * A worker that dies drops its connection, which ends the pod. This removes the Jobs that remain,
 * and the Jobs of workers that were cut off: a worker counts up an annotation, and another worker that
 * sees the same count twice, long enough apart by its own clock, takes it for dead. No two clocks
 * are compared.
 */
import { thisMachine, thisOwner } from '../../host/owner.ts';

export const LABEL = 'skein.dev/sandbox';
const OWNER = 'skein.dev/owner';
const MACHINE = 'skein.dev/machine';
export const RENEWED = 'skein.dev/lease-renewed';

/** How often a worker counts up, and how long a count may stay the same, in milliseconds. */
export const RENEW_MS = 15_000;
export const LEASE_MS = 60_000;

export function ownerLabels(): Record<string, string> {
  return { [LABEL]: 'true', [OWNER]: thisOwner(), [MACHINE]: thisMachine() };
}

/** The parts of a Job that this reads. */
export interface OwnedJob {
  readonly metadata?: {
    readonly name?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** When a count was first seen, by the uid of its Job. */
export type SeenCounts = ReadonlyMap<string, { readonly count: string; readonly at: number }>;

/**
 * The Jobs of dead workers, and what to remember for the next look.
 * @param now a steady clock, in milliseconds.
 */
export function findDead(
  jobs: readonly OwnedJob[],
  seen: SeenCounts,
  now: number,
  here: { readonly machine: string; readonly isAlive: (owner: string) => boolean },
): { readonly dead: readonly string[]; readonly seen: SeenCounts } {
  const dead: string[] = [];
  const next = new Map<string, { count: string; at: number }>();
  for (const { metadata = {} } of jobs) {
    const { name = '', uid = '', labels = {}, annotations = {} } = metadata;
    const count = annotations[RENEWED] ?? '';
    const before = seen.get(uid);
    const at = before?.count === count ? before.at : now;
    const isDead =
      labels[MACHINE] === here.machine ? !here.isAlive(labels[OWNER] ?? '') : now - at >= LEASE_MS;
    if (isDead) dead.push(name);
    else next.set(uid, { count, at });
  }
  return { dead, seen: next };
}
