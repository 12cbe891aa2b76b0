/**
 * The process driver: commands as plain processes of the host, for trusted work only.
 *
 * Nothing is isolated: a command can read and change everything that the user of the node can.
 * Control groups limit and count what they can, and every process of a command is killed with it;
 * without control groups, the processes of its process group.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { release } from 'node:os';
import { SkeinError } from '@skein/api';
import { emptied, signalProgram, startCommand, type Launch } from '../command/command.ts';
import { sessionOf } from '../command/session.ts';
import type {
  Availability,
  Command,
  Enforcement,
  Limits,
  RunningCommand,
  SandboxDriver,
  SandboxSession,
  SessionOptions,
} from '../contract.ts';
import { enforcementOf, ISOLATING } from '../probe/enforcement.ts';
import { openLaunchHost, type LaunchHost } from '../host/launch-host.ts';
import type { Release, Slot } from '../launcher/slot.ts';
import { allLimits, refuseUnsupported, type AllLimits } from '../command/limits.ts';
import { probe, PROBE_LIMITS } from '../probe/probe.ts';

export interface ProcessOptions {
  /** The number of launched processes that wait for a command. */
  readonly warm?: number;
}

interface Opened {
  readonly host: LaunchHost;
  readonly enforcement: Enforcement;
}

/**
 * Runs in a session of its own and reports over descriptor 3. The shell's own messages about
 * signals are not the program's output. $1: the working directory; then the program.
 */
const WRAPPER = `cd -- "$1" || exit 1
shift
exec 7>&2 2> /dev/null
( exec "$@" 2>&7 3>&- 4<&- 5<&- 7>&- )
echo "exit $?" >&3`;

export function createProcessSandbox({ warm = 1 }: ProcessOptions = {}): SandboxDriver {
  const sessions = new Set<SandboxSession>();
  let opened: Promise<Opened> | undefined;
  let count = 0;
  let closed = false;

  async function open(): Promise<Opened> {
    const host = await openLaunchHost({ within: [], seccomp: new Uint8Array(), parked: warm });
    const trial = openSession(host, '0', PROBE_LIMITS);
    const enforcement = await probe(trial, claimed(host));
    await trial.close();
    return { host, enforcement };
  }

  return {
    name: 'process',
    takesImage: () => false,
    async availability(): Promise<Availability> {
      if (process.platform !== 'linux') {
        return { available: false, reason: 'The driver needs /proc of Linux', fix: 'Use Docker.' };
      }
      try {
        const { enforcement } = await (opened ??= open());
        return { available: true, version: release(), enforcement };
      } catch (error) {
        const reason = `Its launcher cannot run a program: ${error instanceof Error ? error.message : String(error)}`;
        return { available: false, reason, fix: 'Put sh, env and coreutils on the PATH.' };
      }
    },
    async open(options) {
      if (closed) throw new SkeinError('SANDBOX_UNAVAILABLE', 'The driver process is closed.');
      const { host, enforcement } = await (opened ??= open());
      refuseUnsupported('process', enforcement, options);
      refuseRoot(options);
      const name = String(++count);
      const session = openSession(host, name, options.limits, () => sessions.delete(session));
      sessions.add(session);
      return session;
    },
    async close() {
      closed = true;
      await Promise.allSettled([...sessions].map((session) => session.close()));
      const host = await opened?.then(
        (found) => found.host,
        () => undefined,
      );
      await host?.close();
    },
  };
}

function claimed({ groups }: LaunchHost): Enforcement {
  return enforcementOf(groups, {
    disk: {
      enforced: false,
      by: 'the driver process has no disk of its own',
      fix: `Use ${ISOLATING}.`,
    },
    network: { none: false, allowList: false, by: 'the driver process uses the host’s network' },
    isolates: false,
  });
}

function refuseRoot({ image, mounts }: SessionOptions): void {
  const moved = mounts.find(({ source, target }) => source !== target);
  const what =
    image !== undefined
      ? `use the root file system ${JSON.stringify(image)}`
      : moved === undefined
        ? undefined
        : `show ${moved.source} at ${moved.target}`;
  if (what === undefined) return;
  throw new SkeinError(
    'SANDBOX_UNSUPPORTED',
    `The driver process cannot ${what}: a command sees the host as it is. Use ${ISOLATING}.`,
  );
}

function openSession(
  { launcher, folder }: LaunchHost,
  name: string,
  limits: Limits,
  onClose: () => void = () => undefined,
): SandboxSession {
  const workspace = `${folder}/${name}`;
  mkdirSync(workspace, { mode: 0o700 });
  const sessionLimits = allLimits(limits);

  function start(command: Command, limits: AllLimits): RunningCommand {
    return startCommand(command, limits, async (): Promise<Launch> => {
      const slot = await launcher.take();
      slot.group?.limit({ ...limits, pids: limits.pids + 1 });
      const environment = {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        HOME: workspace,
        LANG: 'C.UTF-8',
        ...command.env,
      };
      const own = { ...slot, kill: () => kill(slot) };
      const release: Release = {
        argv: [
          'setsid',
          '/bin/sh',
          '-c',
          WRAPPER,
          'sh',
          command.cwd ?? workspace,
          'env',
          '-i',
          ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
          ...command.argv,
        ],
        rlimits: {
          fileBytes: limits.fileBytes,
          stackBytes: Infinity,
          cpuSeconds: limits.cpuMs / 1000 + 1,
          openFiles: Infinity,
        },
      };
      return {
        slot: own,
        begin: () => slot.release(release),
        status: () => statusOf(slot),
        empty: () => emptied(own),
        signal: (signal) => signalProgram(programOf(slot), signal),
      };
    });
  }

  const own = { ...sessionLimits, outputBytes: Infinity, fileBytes: Infinity };
  return sessionOf({
    workspace,
    limits: sessionLimits,
    start(command, limits) {
      if (command.workspace === 'read-only') {
        throw new SkeinError(
          'SANDBOX_UNSUPPORTED',
          `The driver process cannot keep a command from writing to the workspace. Use ${ISOLATING}, or let it write.`,
        );
      }
      return start(command, limits);
    },
    program: (argv, workspace, stdin) => start({ argv, workspace, stdin }, own),
    async end() {
      await rm(workspace, { recursive: true, force: true });
      onClose();
    },
  });
}

/** @throws Error when the wrapper itself was killed. */
async function statusOf(slot: Slot): Promise<number> {
  const line = await slot.status.next();
  const status = /^exit (\d+)$/.exec(line ?? '')?.[1];
  if (status !== undefined) {
    // Background processes that it left end with it.
    kill(slot);
    return Number(status);
  }
  return await slot.exitStatus();
}

/** Kills the whole process group, and, with a control group, processes that left it. */
function kill(slot: Slot): void {
  try {
    process.kill(-slot.hostPid, 'SIGKILL');
  } catch {
    // The process is gone, or does not lead a group yet.
  }
  slot.kill();
}

function programOf({ hostPid }: Slot): number | undefined {
  try {
    const [child] = readFileSync(`/proc/${hostPid}/task/${hostPid}/children`, 'latin1').split(' ');
    return child === undefined || child === '' ? undefined : Number(child);
  } catch {
    return undefined;
  }
}
