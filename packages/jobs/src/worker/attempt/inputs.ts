/**
 * A command's inputs: verified artifacts, mounted read-only next to the workspace and linked into
 * it. The command finds them at its relative paths, and they are never collected with its outputs.
 */
import { SkeinError } from '@skein/api/errors';
import { SANDBOXES } from '@skein/api/implementations';
import type { Limits, Mount, SandboxName, SandboxSession } from '@skein/sandbox';
import type { ArtifactStore } from '@skein/state';
import type { CommandWork } from '../../work.ts';

export interface MountedInputs {
  readonly mounts: readonly Mount[];
  /** Makes the links; call before the first command. @throws SkeinError REQUEST_INVALID. */
  link(session: Pick<SandboxSession, 'run'>): Promise<void>;
}

/** Pairs of a target and a path; the list of arguments of a process is bounded. */
const LINKS_AT_ONCE = 500;

/** $1: what a link leads to, $2: where it is; and so on. */
const LINK = `while [ "$#" -gt 0 ]; do
  case "$2" in */*) mkdir -p -- "\${2%/*}" || exit 1 ;; esac
  if [ -e "$2" ] || [ -L "$2" ]; then echo "two inputs are at $2" >&2; exit 1; fi
  ln -s -- "$1" "$2" || exit 1
  shift 2
done`;

/** Resources of the program that makes the links, whatever the limits of the command. */
const LINK_LIMITS = {
  wallMs: 60_000,
  cpuMs: 10_000,
  memoryBytes: 32 * 2 ** 20,
  pids: 8,
  outputBytes: 4096,
};

/** @throws SkeinError ARTIFACT_CORRUPT, STORE_UNREACHABLE, STORAGE_FULL. */
export async function mountInputs(
  inputs: CommandWork['inputs'],
  driver: SandboxName,
  artifacts: Pick<ArtifactStore, 'pathOf'>,
): Promise<MountedInputs> {
  const links: string[] = [];
  const mounts: Mount[] = [];
  for (const [index, { path, digest }] of inputs.entries()) {
    const source = await artifacts.pathOf(digest);
    // Without isolation a command sees the host's files, and nothing can be mounted.
    const target = SANDBOXES[driver].isolates ? `/inputs/${index}` : source;
    mounts.push({ source, target });
    links.push(target, path);
  }
  return {
    mounts,
    async link(session) {
      for (let start = 0; start < links.length; start += 2 * LINKS_AT_ONCE) {
        const argv = [
          '/bin/sh',
          '-c',
          LINK,
          'sh',
          ...links.slice(start, start + 2 * LINKS_AT_ONCE),
        ];
        const { exitCode, stderr } = await session.run({ argv, workspace: 'writable' });
        if (exitCode === 0) continue;
        const why = Buffer.from(stderr).toString().trim();
        throw new SkeinError('REQUEST_INVALID', `The inputs cannot be put in place: ${why}.`);
      }
    },
  };
}

/**
 * The limits of a session whose command has these: at least the resources that making the links
 * needs.
 */
export function withSpaceForLinks(limits: Limits): Limits {
  const { wallMs, cpuMs, memoryBytes, pids, outputBytes } = limits;
  return {
    ...limits,
    ...(cpuMs === undefined ? {} : { cpuMs: Math.max(cpuMs, LINK_LIMITS.cpuMs) }),
    wallMs: Math.max(wallMs, LINK_LIMITS.wallMs),
    memoryBytes: Math.max(memoryBytes, LINK_LIMITS.memoryBytes),
    pids: Math.max(pids, LINK_LIMITS.pids),
    outputBytes: Math.max(outputBytes, LINK_LIMITS.outputBytes),
  };
}
