/**
 * Containers of dead nodes. A container ends on its own when its node does; this removes the ones
 * that the daemon kept. The labels of a container name its owner.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { ownerIsAlive, thisMachine, thisOwner } from '../../host/owner.ts';

const OWNER = 'dev.skein.owner';
const MACHINE = 'dev.skein.machine';

export function ownerLabels(): Record<string, string> {
  return { [OWNER]: thisOwner(), [MACHINE]: thisMachine() };
}

/** How long a node that starts waits for the removal, in milliseconds; the daemon continues it. */
const PATIENCE_MS = 2000;

/** Removes the containers of dead nodes of this machine. Containers of other machines are left alone. */
export async function removeLeftovers(docker: Docker): Promise<void> {
  const found = await docker.listContainers({
    all: true,
    filters: { label: [`${MACHINE}=${thisMachine()}`] },
  });
  const dead = found.filter((container) => !ownerIsAlive(container.Labels[OWNER] ?? ''));
  const removed = Promise.allSettled(
    dead.map((container) => docker.getContainer(container.Id).remove({ force: true, v: true })),
  );
  await Promise.race([removed, sleep(PATIENCE_MS, undefined, { ref: false })]);
}
