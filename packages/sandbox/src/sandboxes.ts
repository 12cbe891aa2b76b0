/** The sandbox drivers of a node, and the limits that each enforces here. */
import { createBubblewrap } from './bubblewrap/bubblewrap.ts';
import type { Availability, SandboxDriver, SandboxName } from './contract.ts';
import { createDocker } from './docker/docker.ts';
import { createProcessSandbox } from './process/process.ts';

export interface Sandboxes {
  /** Of each driver, in the order of preference. */
  availability(): Promise<ReadonlyMap<SandboxName, Availability>>;
  close(): Promise<void>;
}

/**
 * All drivers of this project, in the order of preference: the fastest to start first, the one
 * without isolation last.
 * @param hidden folders that no guest may see: the data of the node.
 */
export function everyDriver(hidden: readonly string[] = []): SandboxDriver[] {
  return [createBubblewrap({ hidden }), createDocker(), createProcessSandbox()];
}

/** @param drivers in the order of preference. Default: all of this project. */
export function openSandboxes(drivers: readonly SandboxDriver[] = everyDriver()): Sandboxes {
  return {
    async availability() {
      return new Map(
        await Promise.all(
          drivers.map(async (driver) => [driver.name, await driver.availability()] as const),
        ),
      );
    },
    async close() {
      await Promise.all(drivers.map((driver) => driver.close()));
    },
  };
}
