/**
 * Probes the limits that a driver is about to claim, with programs that exceed them: a limit that
 * does not hold here is not claimed, whatever the files of the kernel contain. Takes half a second,
 * once.
 */
import { Buffer } from 'node:buffer';
import { PROXY_PORT } from '../network/listen-inside.ts';
import type { Ending, Enforcement, Limits, SandboxSession } from '../contract.ts';

const MEBIBYTE = 1 << 20;

export const PROBE_LIMITS: Limits = {
  wallMs: 60_000,
  memoryBytes: 32 * MEBIBYTE,
  pids: 16,
  outputBytes: 64 * 1024,
  fileBytes: MEBIBYTE,
  diskBytes: 4 * MEBIBYTE,
};

/** tail keeps its whole input, because it has no end of line. */
const MEMORY_BOMB = 'head -c 100000000 /dev/zero | tail';
/** Needs two processes more than the limit. */
const CROWD = 'for i in 1 2 3 4; do sleep 9 & done';
const BUSY = 'while :; do :; done';
const BUSY_MS = 30;
/** Fails by its size, before the disk is full. */
const LARGE_FILE = 'head -c 9000 /dev/zero > f';
/** Twice the size of the disk, in files that are each below the file limit. */
const FULL_DISK =
  'i=0; while head -c 900000 /dev/zero > d$i; do i=$((i+1)); [ $i -lt 9 ] || exit 0; done; exit 1';
const SLEEP_MS = 50;
const FEW_BYTES = 1000;
const FEW_CORES = 0.2;
const BUSY_WALL_MS = 150;
/** Above what it takes in that time. If the node is killed meanwhile, its processes end at this limit on their own. */
const LEFT_MS = 1000;
/** A quota is for a period of 100 ms, and the last period may have just begun; and a sandbox is made first. */
const CORES_SLACK_MS = 45;

/** 127.0.0.1 and the port, as the kernel lists sockets. */
const PROXY = `0100007F:${PROXY_PORT.toString(16).toUpperCase().padStart(4, '0')}`;
/**
 * A fresh network has no route and no sockets; even a machine without a network has the sockets of
 * its services. Without IPv6, there is no such file.
 */
const CUT_OFF = `[ -z "$(tail -n +2 /proc/net/route)" ] && ! grep -qv " lo$" /proc/net/ipv6_route 2>&- && [ "$(cat /proc/net/tcp /proc/net/unix | grep -vc ${PROXY})" -eq 2 ]`;
/** The proxy of an address list listens in the guest's own network. */
const PROXY_LISTENS = `grep -q "${PROXY} 00000000:0000 0A " /proc/net/tcp`;
const RIGHTS = 'grep -E "^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):" /proc/self/status';
const NO_RIGHTS = /^(Cap\w+:\t0+\n){5}NoNewPrivs:\t1\nSeccomp:\t2\n$/;

type Tries = Readonly<Partial<Record<keyof Limits, () => Promise<boolean>>>>;

/**
 * Withdraws the claims that do not hold.
 * @param session with PROBE_LIMITS, opened without checking them.
 * @param atOnce whether commands can run side by side in it.
 * @param network what holds of the claims about the network; default: what a guest sees of it.
 * @throws Error when no program can run, with the driver's message, or when a guest has rights.
 */
export async function probe(
  session: Pick<SandboxSession, 'run'>,
  claimed: Enforcement,
  atOnce = true,
  network?: () => Promise<Enforcement['network']>,
): Promise<Enforcement> {
  const run = async (script: string, limits: Partial<Limits> = {}) =>
    await session.run({ argv: ['sh', '-c', script], workspace: 'writable', limits });
  const endsBy = async (endedBy: Ending['endedBy'], script: string, limits: Partial<Limits> = {}) =>
    (await run(script, limits)).endedBy === endedBy;

  const first = await run(RIGHTS);
  const rights = Buffer.from(first.stdout).toString();
  if (first.exitCode !== 0) {
    const stderr = Buffer.from(first.stderr).toString().trim();
    throw new Error(`${first.endedBy} ${first.exitCode}: ${stderr}`);
  }
  if (claimed.untrusted && !NO_RIGHTS.test(rights)) {
    throw new Error(`a guest is left with rights: ${rights.trim().replaceAll(/\s+/g, ' ')}`);
  }

  let accounted = false;
  const tries: Tries = {
    memoryBytes: async () => {
      const { endedBy, usage } = await run(MEMORY_BOMB);
      accounted = usage.cpuMs > 0 && usage.peakMemoryBytes > PROBE_LIMITS.memoryBytes / 2;
      return endedBy === 'out-of-memory';
    },
    pids: async () => (await run(CROWD, { pids: 3 })).exitCode !== 0,
    cpuMs: async () => await endsBy('cpu-limit', BUSY, { cpuMs: BUSY_MS }),
    wallMs: async () => await endsBy('wall-limit', 'sleep 9', { wallMs: SLEEP_MS }),
    outputBytes: async () => await endsBy('output-limit', 'yes', { outputBytes: FEW_BYTES }),
    fileBytes: async () => (await run(LARGE_FILE, { fileBytes: 4096 })).exitCode !== 0,
    // On a busy machine this proves nothing; but there, no process gets more than its share.
    cores: async () => {
      const limits = { cores: FEW_CORES, wallMs: BUSY_WALL_MS, cpuMs: LEFT_MS };
      const { usage } = await run(`${BUSY} & ${BUSY}`, limits);
      return usage.cpuMs <= FEW_CORES * usage.wallMs + CORES_SLACK_MS;
    },
  };
  const limits = { ...claimed.limits };
  const attempt = async (name: keyof Limits, holds: () => Promise<boolean>): Promise<void> => {
    if (limits[name].enforced && !(await holds())) limits[name] = notHeld(limits[name].by);
  };
  const attempts = Object.entries(tries).map(
    ([name, holds]) =>
      async () =>
        await attempt(name as keyof Limits, holds),
  );
  if (atOnce) await Promise.all(attempts.map(async (each) => await each()));
  else for (const each of attempts) await each();
  // Runs alone: on a full disk, other programs would fail for another reason.
  await attempt('diskBytes', async () => (await run(FULL_DISK)).exitCode === 1);

  const tried = await (network?.() ??
    tryNetwork(claimed.network, async (script) => (await run(script)).exitCode === 0));
  const held = (['memoryBytes', 'pids', 'cpuMs', 'fileBytes', 'diskBytes'] as const).every(
    (name) => limits[name].enforced,
  );
  return {
    limits,
    network: tried,
    untrusted: claimed.untrusted && held && tried.none,
    accounting: accounted ? claimed.accounting : 'none',
  };
}

async function tryNetwork(
  claimed: Enforcement['network'],
  succeeds: (script: string) => Promise<boolean>,
): Promise<Enforcement['network']> {
  const none = claimed.none && (await succeeds(CUT_OFF));
  const allowList = none && claimed.allowList && (await succeeds(PROXY_LISTENS));
  if (none === claimed.none && allowList === claimed.allowList) return claimed;
  const found = none ? 'a guest does not find its proxy' : 'a guest sees the network of the host';
  return { none, allowList, by: `${claimed.by} was tried, and ${found}` };
}

function notHeld(by: string): Enforcement['limits']['cpuMs'] {
  return {
    enforced: false,
    by: `${by} was tried, and did not hold`,
    fix: 'Use another driver; and please report it with the version of your kernel.',
  };
}
