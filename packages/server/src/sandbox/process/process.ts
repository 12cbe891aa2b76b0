/**
 * The process driver: commands as plain processes of the host, for trusted work only.
 *
 * Nothing is isolated: a command can read and change what the user of the node can. What control
 * groups can limit and count is limited and counted, and every process of a command is killed with
 * it; without control groups, those of its process group.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { SkeinError } from '@skein/api';
import { collectFiles } from '../archive/collect.ts';
import { archiveOf } from '../archive/write.ts';
import type { ControlGroups } from '../cgroup/contract.ts';
import { openControlGroups } from '../cgroup/open.ts';
import { runToEnd, startCommand, type Launch } from '../command.ts';
import type {
  Availability,
  Command,
  CollectedFile,
  Enforcement,
  RunningCommand,
  SandboxDriver,
  SandboxSession,
  SessionOptions,
} from '../contract.ts';
import { enforcementOf } from '../enforcement.ts';
import { startLauncher, type Launcher } from '../launcher/launcher.ts';
import type { Slot } from '../launcher/slot.ts';
import { allLimits, refuseUnsupported, tightened, type AllLimits } from '../limits.ts';
import { makeRunFolder } from '../run-folder.ts';

export interface ProcessOptions {
  /** How many launched processes wait for a command. */
  readonly warm?: number;
}

interface Running {
  readonly groups: ControlGroups | undefined;
  readonly launcher: Launcher;
  readonly folder: string;
  readonly enforcement: Enforcement;
}

/**
 * Runs in a session of its own and reports over descriptor 3. The shell's own remarks about signals
 * are not the program's output. $1: the working directory; then the program.
 */
const WRAPPER = `cd -- "$1" || exit 1
shift
exec 7>&2 2> /dev/null
( exec "$@" 2>&7 3>&- 4<&- 5<&- 7>&- )
echo "exit $?" >&3`;

/** Not enforced, so not to be asked for. */
const OPEN_FILES = 1024;

export function createProcessSandbox({ warm = 1 }: ProcessOptions = {}): SandboxDriver {
  const sessions = new Set<SandboxSession>();
  let running: Promise<Running> | undefined;
  let count = 0;
  let closed = false;

  const start = async (): Promise<Running> => {
    const here = await openControlGroups();
    const folder = await makeRunFolder();
    const nothing = `${folder}/none`;
    writeFileSync(nothing, '');
    const launcher = startLauncher({ groups: here.groups, seccomp: nothing, parked: warm });
    return { groups: here.groups, launcher, folder, enforcement: enforcementOf(here, 'process') };
  };

  return {
    name: 'process',
    async availability(): Promise<Availability> {
      if (process.platform === 'win32') {
        return {
          available: false,
          reason: 'Windows has no process groups',
          fix: 'Use Docker there.',
        };
      }
      const { enforcement } = await (running ??= start());
      return { available: true, version: process.platform, enforcement };
    },
    async open(options) {
      if (closed) throw new SkeinError('SANDBOX_UNAVAILABLE', 'The driver process is closed.');
      const state = await (running ??= start());
      refuseUnsupported('process', state.enforcement, options);
      refuseRoot(options);
      const workspace = `${state.folder}/${++count}`;
      mkdirSync(workspace, { mode: 0o700 });
      const session = createSession(
        state.launcher,
        workspace,
        options,
        () => void sessions.delete(session),
      );
      sessions.add(session);
      return session;
    },
    async close() {
      closed = true;
      await Promise.allSettled([...sessions].map((session) => session.close()));
      const state = await running;
      await state?.launcher.close();
      await state?.groups?.close();
      if (state !== undefined) await rm(state.folder, { recursive: true, force: true });
    },
  };
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
    `The driver process cannot ${what}: a command sees the host as it is. Use bubblewrap or Docker.`,
  );
}

function createSession(
  launcher: Launcher,
  workspace: string,
  options: SessionOptions,
  onClose: () => void,
): SandboxSession {
  const sessionLimits = allLimits(options.limits);
  const running = new Set<RunningCommand>();
  let closing: Promise<void> | undefined;

  function start(command: Command, limits: AllLimits): RunningCommand {
    if (closing !== undefined) throw new Error('the session is closed');
    const launch = async (): Promise<Launch> => {
      const slot = await launcher.take();
      slot.group?.limit({ ...limits, pids: limits.pids + 1 });
      const environment = {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        HOME: workspace,
        LANG: 'C.UTF-8',
        ...command.env,
      };
      return {
        slot: { ...slot, kill: () => kill(slot) },
        release: {
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
            stackBytes: 8 << 20,
            cpuSeconds: limits.cpuMs / 1000 + 1,
            openFiles: OPEN_FILES,
          },
        },
        status: () => statusOf(slot),
        program: () => programOf(slot),
      };
    };
    const started = startCommand(command, limits, launch);
    running.add(started);
    const forget = (): void => void running.delete(started);
    started.ended.then(forget, forget);
    return started;
  }

  const own = { ...sessionLimits, outputBytes: Infinity, fileBytes: Infinity };
  async function killAll(): Promise<void> {
    await Promise.allSettled([...running].map((command) => command.kill()));
  }
  return {
    workspace,
    async put(files) {
      const argv = ['tar', '--extract', '--file=-', '--preserve-permissions', '--no-same-owner'];
      const { exitCode, stderr } = await runToEnd(
        start({ argv, workspace: 'writable', stdin: archiveOf(files) }, own),
        65536,
      );
      if (exitCode !== 0)
        throw new SkeinError(
          'REQUEST_INVALID',
          `The files cannot be put into the workspace: ${new TextDecoder().decode(stderr).trim()}`,
        );
    },
    start(command) {
      if (command.workspace === 'read-only') {
        throw new SkeinError(
          'SANDBOX_UNSUPPORTED',
          'The driver process cannot keep a command from writing to the workspace. Use bubblewrap or Docker, or let it write.',
        );
      }
      return start(command, tightened(sessionLimits, command.limits));
    },
    async run(command) {
      return await runToEnd(
        this.start(command),
        tightened(sessionLimits, command.limits).outputBytes,
      );
    },
    async *collect(paths, maxBytes): AsyncGenerator<CollectedFile> {
      await killAll();
      yield* collectFiles(paths, maxBytes, (argv) => start({ argv, workspace: 'writable' }, own));
    },
    async close() {
      closing ??= killAll().then(async () => {
        await rm(workspace, { recursive: true, force: true });
        onClose();
      });
      await closing;
    },
  };
}

/** @throws Error when the wrapper itself was killed. */
async function statusOf(slot: Slot): Promise<number> {
  const line = await slot.status.next();
  const status = /^exit (\d+)$/.exec(line ?? '')?.[1];
  if (status !== undefined) {
    // What it left behind in the background ends with it.
    kill(slot);
    return Number(status);
  }
  return await slot.exitStatus();
}

/** The whole process group; and what left it, where a control group knows it. */
function kill(slot: Slot): void {
  try {
    process.kill(-slot.hostPid, 'SIGKILL');
  } catch {
    // It is gone, or not yet a group of its own.
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
