/** The sandbox of a command: the driver that was asked for, or the first that works here. */
import type { JudgeSandbox } from '../judging/judge-sandbox.ts';
import { findGuests } from '../service/worker/guests.ts';
import type { CommandOptions } from './options.ts';

/** Runs the work with a sandbox, and closes its driver on every way out. @throws SkeinError USAGE, JUDGE_SANDBOX. */
export async function withSandbox<Result>(
  options: Pick<CommandOptions, 'driver' | 'image'>,
  work: (sandbox: JudgeSandbox) => Promise<Result>,
): Promise<Result> {
  const guests = await findGuests({ driver: options.driver, image: options.image });
  try {
    return await work(guests.sandbox);
  } finally {
    await guests.close();
  }
}
