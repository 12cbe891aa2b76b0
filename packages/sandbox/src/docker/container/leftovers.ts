/**
 * Containers of dead nodes. A container ends by itself when its node does; this removes the ones
 * that the daemon kept. The labels of a container name its owner.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { ownerIsAlive, thisOwner } from '../../host/owner.ts';

const OWNER = 'dev.skein.owner';
const MACHINE = 'dev.skein.machine';

export function ownerLabels(): Record<string, string> {
  return { [OWNER]: thisOwner(), [MACHINE]: machine() };
}

/** How long a node that starts waits for the removal, in milliseconds; it goes on in the daemon. */
const PATIENCE_MS = 2000;

/** Removes the containers of dead nodes of this machine. Those of other machines are left alone. */
export async function removeLeftovers(docker: Docker): Promise<void> {
  const found = await docker.listContainers({
    all: true,
    filters: { label: [`${MACHINE}=${machine()}`] },
  });
  const dead = found.filter((container) => !ownerIsAlive(container.Labels[OWNER] ?? ''));
  const removed = Promise.allSettled(
    dead.map((container) => docker.getContainer(container.Id).remove({ force: true, v: true })),
  );
  await Promise.race([removed, sleep(PATIENCE_MS, undefined, { ref: false })]);
}

/** A name of this boot of this machine: process ids are unique only within it. */
function machine(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return hostname();
  }
}
