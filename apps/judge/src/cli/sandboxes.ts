/** The sandbox of a command: the driver that was asked for, or the first that works here. */
import { SkeinError } from '@skein/api';
import { createBubblewrap, createDocker, type SandboxDriver } from '@skein/server';
import { judgeCacheFolder } from '../judging/cache-folder.ts';
import { chooseJudgeSandbox, type JudgeSandbox } from '../judging/judge-sandbox.ts';
import type { CommandOptions } from './run.ts';

const DRIVERS: Readonly<Record<string, () => SandboxDriver>> = {
  bubblewrap: () => createBubblewrap(),
  docker: () => createDocker(),
};

/** Runs the work with a sandbox, and closes its driver on every way out. */
export async function withSandbox<Result>(
  { driver, image }: Pick<CommandOptions, 'driver' | 'image'>,
  work: (sandbox: JudgeSandbox) => Promise<Result>,
): Promise<Result> {
  const names = driver === undefined ? Object.keys(DRIVERS) : [driver];
  const drivers = names.map((name) => {
    const create = DRIVERS[name];
    if (create === undefined) {
      throw new SkeinError(
        'JUDGE_SANDBOX',
        `There is no driver ${name} that judges; there are ${Object.keys(DRIVERS).join(' and ')}.`,
      );
    }
    return create();
  });
  try {
    return await work(
      await chooseJudgeSandbox(drivers, { image, cacheFolder: judgeCacheFolder() }),
    );
  } finally {
    await Promise.all(drivers.map((one) => one.close()));
  }
}
