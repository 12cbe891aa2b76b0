/**
 * Tries what a driver is about to claim, with programs that break the limit: what is not held here
 * is not claimed, whatever the files of the kernel say. Takes a few hundred milliseconds, once.
 */
import type { Ending, Enforcement, Limits, SandboxSession } from './contract.ts';

const MEBIBYTE = 1 << 20;

/** Limits of the session in which is tried. */
export const PROBE_LIMITS: Limits = {
  wallMs: 20_000,
  memoryBytes: 32 * MEBIBYTE,
  pids: 16,
  outputBytes: 64 * 1024,
  fileBytes: MEBIBYTE,
  diskBytes: 4 * MEBIBYTE,
};

/** tail keeps everything: there is no end of line. */
const MEMORY_BOMB = 'head -c 100000000 /dev/zero | tail';
/** Needs two processes more than it may have. */
const CROWD = 'for i in 1 2 3 4; do sleep 9 & done';
const BUSY_MS = 30;

type Tried = 'memoryBytes' | 'pids' | 'cpuMs' | 'fileBytes' | 'diskBytes';

/**
 * Takes back what is not held. @param session with PROBE_LIMITS, opened without asking what is held.
 * @throws Error when nothing at all can be run, with what the driver said.
 */
export async function probe(session: SandboxSession, claimed: Enforcement): Promise<Enforcement> {
  const shell = async (script: string, limits: Partial<Limits> = {}): Promise<Ending> =>
    await session.run({ argv: ['sh', '-c', script], workspace: 'writable', limits });
  const { exitCode, endedBy, stderr } = await session.run({
    argv: ['true'],
    workspace: 'writable',
  });
  if (exitCode !== 0) {
    throw new Error(`${endedBy} ${exitCode}: ${new TextDecoder().decode(stderr).trim()}`);
  }
  const tries: Record<Tried, () => Promise<boolean>> = {
    memoryBytes: async () => (await shell(MEMORY_BOMB)).endedBy === 'out-of-memory',
    pids: async () => (await shell(CROWD, { pids: 3 })).exitCode !== 0,
    cpuMs: async () =>
      (await shell('while :; do :; done', { cpuMs: BUSY_MS })).endedBy === 'cpu-limit',
    fileBytes: async () =>
      (await shell('head -c 9000 /dev/zero > f', { fileBytes: 4096 })).exitCode !== 0,
    diskBytes: async () =>
      (
        await shell(
          'i=0; while head -c 900000 /dev/zero > d$i; do i=$((i+1)); [ $i -lt 9 ] || exit 0; done; exit 1',
        )
      ).exitCode === 1,
  };
  const limits = { ...claimed.limits };
  await Promise.all(
    (Object.keys(tries) as Tried[]).map(async (name) => {
      if (!limits[name].enforced || (await tries[name]())) return;
      limits[name] = {
        enforced: false,
        by: `${limits[name].by} was tried, and did not hold`,
        fix: 'Use Docker; and please report it with the version of your kernel.',
      };
    }),
  );
  const held = (['memoryBytes', 'pids', 'cpuMs', 'fileBytes', 'diskBytes'] as const).every(
    (name) => limits[name].enforced,
  );
  return { ...claimed, limits, untrusted: claimed.untrusted && held };
}
