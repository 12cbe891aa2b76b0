/** The sandbox of a command: the driver that was asked for, or the first that works here. */
import type { JudgeSandbox } from '../judging/judge-sandbox.ts';
import { findGuests } from '../service/worker/guests.ts';
import type { CommandOptions, Terminal } from './options.ts';

/**
 * Runs the work with a sandbox, and closes its driver on every way out.
 *
 * @param packages folders and archives with the answers, which no program may see.
 * @throws SkeinError USAGE, JUDGE_SANDBOX.
 */
export async function withSandbox<Result>(
  options: Pick<CommandOptions, 'driver' | 'image'>,
  { stderr }: Pick<Terminal, 'stderr'>,
  work: (sandbox: JudgeSandbox) => Promise<Result>,
  packages: readonly string[] = [],
): Promise<Result> {
  const { driver, image } = options;
  const guests = await findGuests({
    driver,
    image,
    hidden: packages,
    onFilling: (message) => stderr.write(`${message}\n`),
  });
  try {
    return await work(guests.sandbox);
  } finally {
    await guests.close();
  }
}
