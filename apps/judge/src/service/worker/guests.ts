/**
 * The sandbox of this machine that judges, found once per process and handed to the threads of its
 * attempts as plain data: what guests find is probed in a quarter of a second, and a submission
 * should not wait for that.
 */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import type { SandboxDriver } from '@skein/sandbox';
import { judgeCacheFolder, packagesIn } from '../../judging/cache-folder.ts';
import { createJudgeDriver, JUDGE_DRIVERS, type JudgeDriver } from '../../judging/drivers.ts';
import {
  chooseJudgeSandbox,
  type JudgeSandbox,
  type JudgeSandboxFacts,
  resumeJudgeSandbox,
} from '../../judging/judge-sandbox.ts';
import type { JudgeSandboxOptions } from '../../judging/toolchain-cache.ts';

export interface GuestOptions {
  /** Default: the first that works here. */
  readonly driver?: JudgeDriver | undefined;
  /** Root file system of guests; default: the judge's image, or for bubblewrap the host's programs. */
  readonly image?: string | undefined;
  /** Folders that no submission may see: the folders of packages have the answers, and the judge's own the keys. */
  readonly hidden?: readonly string[] | undefined;
  /** Default: the user's cache. */
  readonly cacheFolder?: string | undefined;
  readonly onFilling?: JudgeSandboxOptions['onFilling'];
}

/** Data that a thread starts with. */
interface Known {
  readonly driver: JudgeDriver;
  readonly image: string | undefined;
  readonly hidden: readonly string[];
  readonly cacheFolder: string;
  readonly facts: JudgeSandboxFacts;
}

export interface Guests {
  readonly sandbox: JudgeSandbox;
  readonly cacheFolder: string;
  close(): Promise<void>;
}

const KEY = 'skein-judge:guests';

/**
 * Tries the drivers out, and gives the result to the threads that this process starts from now on.
 * @throws SkeinError JUDGE_SANDBOX that lists what each driver lacks.
 */
export async function prepareGuests(options: GuestOptions = {}): Promise<JudgeSandboxFacts> {
  const guests = await findGuests(options);
  try {
    const { sandbox, cacheFolder } = guests;
    const { enforcement, toolchains, inputTools, bigStacks, caches } = sandbox;
    const facts: JudgeSandboxFacts = { enforcement, toolchains, inputTools, bigStacks, caches };
    const driver = sandbox.driver.name;
    const { image, hidden = [] } = options;
    setEnvironmentData(KEY, { driver, image, hidden, cacheFolder, facts });
    return facts;
  } finally {
    await guests.close();
  }
}

/** The sandbox of an attempt. @throws SkeinError JUDGE_SANDBOX. */
export async function openGuests(): Promise<Guests> {
  const known = getEnvironmentData(KEY) as unknown as Known | undefined;
  // A worker that has nothing of judging but the name of this task.
  if (known === undefined) return findGuests({});
  const hidden = hiddenBy(known);
  const driver = await createJudgeDriver(known.driver, known.image, hidden);
  return {
    sandbox: resumeJudgeSandbox(driver, known.facts, { image: known.image }),
    cacheFolder: known.cacheFolder,
    close: () => driver.close(),
  };
}

/** The folders that a worker unpacks into have the answers, too. */
function hiddenBy({ hidden, cacheFolder }: Pick<Known, 'hidden' | 'cacheFolder'>): string[] {
  return [...hidden, packagesIn(cacheFolder)];
}

/** @throws SkeinError JUDGE_SANDBOX that lists what each driver lacks. */
export async function findGuests(options: GuestOptions): Promise<Guests> {
  const { image, hidden = [], cacheFolder = judgeCacheFolder(), onFilling } = options;
  const names = options.driver === undefined ? JUDGE_DRIVERS : [options.driver];
  const drivers: SandboxDriver[] = await Promise.all(
    names.map((name) => createJudgeDriver(name, image, hiddenBy({ hidden, cacheFolder }))),
  );
  const close = async (): Promise<void> => {
    await Promise.all(drivers.map((driver) => driver.close()));
  };
  try {
    return {
      sandbox: await chooseJudgeSandbox(drivers, { image, cacheFolder, onFilling }),
      cacheFolder,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
