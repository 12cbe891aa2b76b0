/** The labels that a worker finds for its machine. */
import { access } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { SandboxOffer } from './contract.ts';

/** A worker that offers the tasks of maps. */
export const MAP_LABEL = 'task:skein-map';

/** A worker that reads files where they lie on this machine. */
export const HERE = `machine:${hostname()}`;

/** Device files whose presence means an accelerator with a driver. */
const ACCELERATORS = { cuda: '/dev/nvidiactl', rocm: '/dev/kfd' } as const;

/** @param given by the operator. @returns all of them, sorted, each once. */
export async function labelsOf(
  given: readonly string[],
  sandboxes: readonly SandboxOffer[],
  tasks: readonly string[],
): Promise<string[]> {
  const found = (await acceleratorsHere()).map((name) => `accelerator:${name}`);
  for (const { name, availability } of sandboxes) {
    if (availability.available) found.push(`sandbox:${name}`);
  }
  return [...new Set([...given, ...found, ...tasks.map((task) => `task:${task}`)])].sort();
}

/** The accelerators of this machine that have a driver. */
export async function acceleratorsHere(): Promise<string[]> {
  const found: string[] = [];
  for (const [name, device] of Object.entries(ACCELERATORS)) {
    const present = await access(device).then(
      () => true,
      () => false,
    );
    if (present) found.push(name);
  }
  return found;
}
