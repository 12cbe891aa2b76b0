/**
 * The sandbox drivers that judge, in the order in which they are tried. There is none for trusted
 * work among them: nothing here can run a program without isolation.
 *
 * Each is loaded when it is used, because every submission has a thread that loads its own.
 */
import { existsSync } from 'node:fs';
import { SANDBOX_NAMES, SANDBOXES, type SandboxName } from '@skein/api/implementations';
import { openDriver, type SandboxDriver } from '@skein/sandbox';

/** Where containers find the toolchains; made by deploy/sandbox/base-image.sh. */
export const JUDGE_IMAGE = 'skein-sandbox:judge';

export type JudgeDriver = SandboxName;
/** A tested program may not change what its judge reads. */
export const JUDGE_DRIVERS: readonly JudgeDriver[] = SANDBOX_NAMES.filter(
  (name) => SANDBOXES[name].isolates && SANDBOXES[name].freezes,
);

/**
 * @param image root file system of guests; default: the host's programs, or with Docker the judge's.
 * @param hidden folders that no guest may see, also where they are among the host's programs.
 */
export function createJudgeDriver(
  name: JudgeDriver,
  image: string = JUDGE_IMAGE,
  hidden: readonly string[] = [],
): Promise<SandboxDriver> {
  return openDriver(name, { image, mounted: true, hidden });
}

/**
 * The source of the root file system that a driver complains about: an image by the reference that the
 * daemon lacks, or a folder that does not exist yet.
 *
 * @returns undefined when it is about something else, such as a folder with other things in it.
 */
export function imageFix(complaint: string): string | undefined {
  const [, reference] = / has no image (\S+?)\.?(?:\s|$)/.exec(complaint) ?? [];
  const [, named, given] = MISSING_FOLDER.exec(complaint) ?? [];
  const folder = named ?? given;
  // One that exists may hold anything, and is replaced by an image that is made there.
  if (folder !== undefined && existsSync(folder)) return undefined;
  const target = folder === undefined ? reference : `--to ${folder}`;
  if (target === undefined) return undefined;
  return `\`bash deploy/sandbox/base-image.sh judge ${target}\` builds it, as root.`;
}

/** The folder of a registered name, or one that was given by its path, in a message of bubblewrap. */
const MISSING_FOLDER = /there is no folder (\S+?)\.?(?:\s|$)|"(\/[^"]*)" is not a directory/;
