/** The sandbox drivers of a node: which there are, what each holds here, and which is best for a piece of work. */
import { SkeinError } from '@skein/api';
import { createBubblewrap } from './bubblewrap/bubblewrap.ts';
import type { Availability, SandboxDriver, SandboxName } from './contract.ts';
import { createDocker } from './docker/docker.ts';
import { createProcessSandbox } from './process/process.ts';

export interface Sandboxes {
  driver(name: SandboxName): SandboxDriver;
  /** Of each driver, in the order of preference. */
  availability(): Promise<ReadonlyMap<SandboxName, Availability>>;
  /**
   * The first driver that can run such work here. A driver may still refuse a session for its limits.
   * @throws SkeinError SANDBOX_UNAVAILABLE with what is missing for each.
   */
  best(work: { readonly untrusted: boolean }): Promise<SandboxDriver>;
  close(): Promise<void>;
}

/** All of this project, in the order of preference: what starts fastest first, what isolates nothing last. */
export function everyDriver(): SandboxDriver[] {
  return [createBubblewrap(), createDocker(), createProcessSandbox()];
}

/** @param drivers in the order of preference. Default: all of this project. */
export function openSandboxes(drivers: readonly SandboxDriver[] = everyDriver()): Sandboxes {
  const availability = async (): Promise<ReadonlyMap<SandboxName, Availability>> =>
    new Map(
      await Promise.all(
        drivers.map(async (driver) => [driver.name, await driver.availability()] as const),
      ),
    );
  return {
    driver(name) {
      const driver = drivers.find((each) => each.name === name);
      if (driver === undefined)
        throw new SkeinError('SANDBOX_UNAVAILABLE', `There is no driver ${name} in this node.`);
      return driver;
    },
    availability,
    async best({ untrusted }) {
      const reasons: string[] = [];
      for (const driver of drivers) {
        const here = await driver.availability();
        if (!here.available) reasons.push(`${driver.name}: ${here.reason} (${here.fix})`);
        else if (!untrusted || here.enforcement.untrusted) return driver;
        else reasons.push(`${driver.name}: ${whyNotUntrusted(driver.name, here)}`);
      }
      throw new SkeinError(
        'SANDBOX_UNAVAILABLE',
        `No sandbox for ${untrusted ? 'untrusted' : 'this'} work here. ${reasons.join('; ')}`,
      );
    },
    async close() {
      await Promise.all(drivers.map((driver) => driver.close()));
    },
  };
}

function whyNotUntrusted(
  name: SandboxName,
  here: Extract<Availability, { available: true }>,
): string {
  if (name === 'process') return 'isolates nothing';
  const missing = Object.values(here.enforcement.limits).find(({ enforced }) => !enforced);
  return missing === undefined ? 'a piece is missing' : `${missing.by} (${missing.fix ?? ''})`;
}
