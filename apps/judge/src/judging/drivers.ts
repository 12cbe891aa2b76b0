/**
 * The sandbox drivers that judge, in the order in which they are tried. There is none for trusted
 * work among them: nothing here can run a program without isolation.
 *
 * Each is loaded when it is used, because every submission has a thread that loads its own.
 */
import { SANDBOX_NAMES, SANDBOXES, type SandboxName } from '@skein/api/implementations';
import { openDriver, type SandboxDriver } from '@skein/sandbox';

/** Where containers find the toolchains; made by deploy/sandbox/base-image.sh. */
export const JUDGE_IMAGE = 'skein-sandbox:judge';

export type JudgeDriver = SandboxName;
/** A tested program may not change what its judge reads. */
export const JUDGE_DRIVERS: readonly JudgeDriver[] = SANDBOX_NAMES.filter(
  (name) => SANDBOXES[name].isolates && SANDBOXES[name].freezes,
);

/** @param image root file system of guests; default: the host's programs, or with Docker the judge's. */
export function createJudgeDriver(
  name: JudgeDriver,
  image: string = JUDGE_IMAGE,
): Promise<SandboxDriver> {
  return openDriver(name, { image, mounted: true });
}

/**
 * What provides the root file system that a driver complains about.
 * @param complaint of the driver. @returns undefined when it is about something else.
 */
export function imageFix(image: string | undefined, complaint: string): string | undefined {
  const named = image ?? JUDGE_IMAGE;
  // A folder is of bubblewrap: Docker takes none, however it is made.
  if (!complaint.includes(named) || complaint.includes('not a name of a Docker image')) {
    return undefined;
  }
  // Of bubblewrap, a registered name is a folder, which its complaint says.
  const folder = named.startsWith('/')
    ? named
    : / no folder (\S+?)\.?(?:\s|$)/.exec(complaint)?.[1];
  const target = folder === undefined ? named : `--to ${folder}`;
  return `\`bash deploy/sandbox/base-image.sh judge ${target}\` builds it, as root.`;
}
