/**
 * The sandbox of this machine that judges, found once per process and handed to the threads of its
 * attempts as plain data: what guests find is probed in a quarter of a second, and a submission
 * should not wait for that.
 */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import type { SandboxDriver } from '@skein/sandbox';
import { judgeCacheFolder } from '../../judging/cache-folder.ts';
import { createJudgeDriver, JUDGE_DRIVERS, type JudgeDriver } from '../../judging/drivers.ts';
import {
  chooseJudgeSandbox,
  type JudgeSandbox,
  type JudgeSandboxFacts,
  resumeJudgeSandbox,
} from '../../judging/judge-sandbox.ts';

export interface GuestOptions {
  /** Default: the first that works here. */
  readonly driver?: JudgeDriver | undefined;
  /** Root file system of guests; default: the judge's image, or for bubblewrap the host's programs. */
  readonly image?: string | undefined;
  /** Default: the user's cache. */
  readonly cacheFolder?: string | undefined;
}

/** Data that a thread starts with. */
interface Known {
  readonly driver: JudgeDriver;
  readonly image: string | undefined;
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
 * Tries the drivers out, and tells the threads that this process starts from now on.
 * @throws SkeinError JUDGE_SANDBOX that says what each driver lacks.
 */
export async function prepareGuests(options: GuestOptions = {}): Promise<JudgeSandboxFacts> {
  const guests = await findGuests(options);
  try {
    const { sandbox, cacheFolder } = guests;
    const { enforcement, toolchains, inputTools, bigStacks, caches } = sandbox;
    const facts: JudgeSandboxFacts = { enforcement, toolchains, inputTools, bigStacks, caches };
    const driver = sandbox.driver.name;
    setEnvironmentData(KEY, { driver, image: options.image, cacheFolder, facts });
    return facts;
  } finally {
    await guests.close();
  }
}

/** The sandbox of an attempt. @throws SkeinError JUDGE_SANDBOX. */
export async function openGuests(): Promise<Guests> {
  const known = getEnvironmentData(KEY) as unknown as Known | undefined;
  // A worker that knows nothing of judging but the name of this task.
  if (known === undefined) return findGuests({});
  const driver = await createJudgeDriver(known.driver, known.image);
  return {
    sandbox: resumeJudgeSandbox(driver, known.facts, { image: known.image }),
    cacheFolder: known.cacheFolder,
    close: () => driver.close(),
  };
}

/** @throws SkeinError JUDGE_SANDBOX that says what each driver lacks. */
export async function findGuests(options: GuestOptions): Promise<Guests> {
  const { image, cacheFolder = judgeCacheFolder() } = options;
  const names = options.driver === undefined ? JUDGE_DRIVERS : [options.driver];
  const drivers: SandboxDriver[] = await Promise.all(
    names.map((name) => createJudgeDriver(name, image)),
  );
  const close = async (): Promise<void> => {
    await Promise.all(drivers.map((driver) => driver.close()));
  };
  try {
    return {
      sandbox: await chooseJudgeSandbox(drivers, { image, cacheFolder }),
      cacheFolder,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
