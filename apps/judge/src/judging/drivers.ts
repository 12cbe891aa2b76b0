/**
 * The sandbox drivers that judge, in the order in which they are tried. There is none for trusted
 * work among them: nothing here can run a program without isolation.
 *
 * Each is loaded when it is used, because every submission has a thread that loads its own.
 */
import type { SandboxDriver, SandboxName } from '@skein/sandbox';

/** Where containers find the toolchains; made by deploy/sandbox/base-image.sh. */
export const JUDGE_IMAGE = 'skein-sandbox:judge';

const DRIVERS = {
  bubblewrap: async () => (await import('@skein/sandbox/bubblewrap')).createBubblewrap(),
  docker: async (image: string = JUDGE_IMAGE) => {
    const { createDocker } = await import('@skein/sandbox/docker');
    // Guests have files of the host mounted, and no container that waits for a session has any.
    return createDocker({ image, warm: 0 });
  },
} as const;

export type JudgeDriver = keyof typeof DRIVERS;
export const JUDGE_DRIVERS = Object.keys(DRIVERS) as readonly JudgeDriver[];

/** @param image root file system of guests; default: with Docker the judge's, else the host's programs. */
export function createJudgeDriver(name: JudgeDriver, image?: string): Promise<SandboxDriver> {
  return DRIVERS[name](image);
}

/**
 * What provides the root file system that a driver complains about.
 * @param complaint of the driver. @returns undefined when it is about something else.
 */
export function imageFix(
  driver: SandboxName,
  image: string | undefined,
  complaint: string,
): string | undefined {
  const named = image ?? JUDGE_IMAGE;
  if (!complaint.includes(named)) return undefined;
  const target = driver === 'docker' ? named : `--to ${named}`;
  return `\`bash deploy/sandbox/base-image.sh judge ${target}\` builds it, as root.`;
}
