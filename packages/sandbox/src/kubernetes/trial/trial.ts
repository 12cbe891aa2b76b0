/**
 * Tries what the cluster enforces, before it is claimed: programs that exceed each limit, and
 * whether a NetworkPolicy cuts a pod off (a cluster whose network plug-in has no policies accepts
 * them and does nothing).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command, Enforcement, SandboxSession, SessionOptions } from '../../contract.ts';
import { probe, PROBE_LIMITS } from '../../probe/probe.ts';
import { POLICY } from '../pod/manifests.ts';

type Open = (options: SessionOptions) => Promise<SandboxSession>;

const OPTIONS: SessionOptions = {
  mounts: [],
  limits: PROBE_LIMITS,
  network: 'none',
  untrusted: true,
};
/** Kept by `tail`, because it has no end of line. */
const HELD_BYTES = 10_000_000;
/** A plug-in may apply a policy a moment after the pod has started, in milliseconds. */
const POLICY_MS = 10_000;
const POLICY_PAUSE_MS = 250;

/**
 * Connects to the API server of the cluster, whose address is in the environment of every process 1.
 * Exits with 0 when it can, with 3 when the image has no program that could.
 */
const CONNECT = `
value() { tr '\\0' '\\n' < /proc/1/environ | sed -n "s/^$1=//p"; }
host=$(value KUBERNETES_SERVICE_HOST) port=$(value KUBERNETES_SERVICE_PORT)
[ -n "$host" ] && [ -n "$port" ] || exit 3
if command -v python3 > /dev/null; then
  exec python3 -c 'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)' "$host" "$port"
elif command -v bash > /dev/null; then exec timeout 2 bash -c '</dev/tcp/$0/$1' "$host" "$port"
elif command -v nc > /dev/null; then exec nc -z -w 2 "$host" "$port"
fi
exit 3`;
const NO_PROGRAM = 3;

/** @param claimed before the trial. @throws SkeinError; Error when no program can run. */
export async function tryCluster(open: Open, claimed: Enforcement): Promise<Enforcement> {
  const sessions = trialSessions(open);
  try {
    const held = await probe(sessions, claimed, false, async () => {
      return await tryPolicy(sessions, claimed.network);
    });
    return { ...held, accounting: (await isAccounted(sessions)) ? claimed.accounting : 'none' };
  } finally {
    await sessions.close();
  }
}

/** By a program that ends well: one that takes too much memory may take the counts of its container along. */
async function isAccounted(sessions: TrialSessions): Promise<boolean> {
  const argv = ['sh', '-c', `head -c ${HELD_BYTES} /dev/zero | tail | wc -c`];
  const { usage } = await sessions.run({ argv, workspace: 'writable' });
  return usage.cpuMs > 0 && usage.peakMemoryBytes > HELD_BYTES / 2;
}

async function tryPolicy(
  sessions: TrialSessions,
  claimed: Enforcement['network'],
): Promise<Enforcement['network']> {
  const connect = async (network: 'host' | 'none'): Promise<number | null> => {
    const command: Command = { argv: ['sh', '-c', CONNECT], workspace: 'writable' };
    return (await sessions.runIn({ ...OPTIONS, network }, command)).exitCode;
  };
  const not = (why: string): Enforcement['network'] => ({
    none: false,
    allowList: false,
    by: `the NetworkPolicy ${POLICY} is not proven to hold: ${why}`,
  });
  const open = await connect('host');
  if (open === NO_PROGRAM) return not('the image has neither python3, bash nor nc to try it with');
  if (open !== 0) return not('a pod without it reaches nothing either');
  for (const until = performance.now() + POLICY_MS; performance.now() < until;) {
    if ((await connect('none')) !== 0) return claimed;
    await sleep(POLICY_PAUSE_MS);
  }
  return not(
    'a pod with it still reaches the API server; the network plug-in has to enforce policies',
  );
}

type TrialSessions = ReturnType<typeof trialSessions>;

/** A pod for each shape of the trial, and a new one when a program took its pod along. */
function trialSessions(open: Open) {
  const sessions = new Map<string, SandboxSession>();

  async function runIn(options: SessionOptions, command: Command) {
    const key = JSON.stringify([options.network, options.limits.cores]);
    const session = sessions.get(key) ?? (await open(options));
    sessions.set(key, session);
    const ending = await session.run(command);
    // The kernel may kill the whole container with the program that took its memory.
    if (ending.endedBy === 'out-of-memory') {
      sessions.delete(key);
      await session.close();
    }
    return ending;
  }

  return {
    runIn,
    run(command: Command) {
      const { cores = 1 } = command.limits ?? {};
      return runIn({ ...OPTIONS, limits: { ...PROBE_LIMITS, cores } }, command);
    },
    close: () => Promise.allSettled([...sessions.values()].map((session) => session.close())),
  };
}
