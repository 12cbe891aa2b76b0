/**
 * Containers of nodes that died. A container ends by itself when its node does; this removes the
 * ones whose daemon did not get that far, told by the owner in their labels.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type Docker from 'dockerode';
import { ownerIsAlive, thisOwner } from '../owner.ts';

const OWNER = 'dev.skein.owner';
const MACHINE = 'dev.skein.machine';

export function ownerLabels(): Record<string, string> {
  return { [OWNER]: thisOwner(), [MACHINE]: machine() };
}

/** Removes what dead nodes of this machine left. What other machines left is theirs to judge. */
export async function removeLeftovers(docker: Docker): Promise<number> {
  const found = await docker.listContainers({
    all: true,
    filters: { label: [`${MACHINE}=${machine()}`] },
  });
  const dead = found.filter((container) => !ownerIsAlive(container.Labels[OWNER] ?? ''));
  const removed = await Promise.allSettled(
    dead.map((container) => docker.getContainer(container.Id).remove({ force: true, v: true })),
  );
  return removed.filter((result) => result.status === 'fulfilled').length;
}

/** A name of this boot of this machine: process ids mean something only within it. */
function machine(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return hostname();
  }
}
