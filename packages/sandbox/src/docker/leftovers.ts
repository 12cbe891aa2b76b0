/**
 * Containers of dead nodes. A container ends by itself when its node does; this removes the ones
 * that the daemon kept. The labels of a container name its owner.
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

/** Removes the containers of dead nodes of this machine. Those of other machines are left alone. */
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

/** A name of this boot of this machine: process ids are unique only within it. */
function machine(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return hostname();
  }
}
