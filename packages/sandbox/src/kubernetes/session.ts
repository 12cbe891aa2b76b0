/** A session is one pod of a Job; a command is a program that `exec` starts in it. */
import { SkeinError } from '@skein/api';
import { collectFiles } from '../archive/collect.ts';
import { putFiles } from '../archive/put.ts';
import { runToEnd, startCommand } from '../command/command.ts';
import type {
  CollectedFile,
  Command,
  Ending,
  RunningCommand,
  SandboxSession,
} from '../contract.ts';
import { tightened, type AllLimits } from '../command/limits.ts';
import { clusterError } from './cluster/cluster.ts';
import { launchIn } from './command/launch.ts';
import { WORKSPACE } from './pod/manifests.ts';
import type { Pod } from './pod/pod.ts';

/** Programs of the driver move files; this only ends one that hangs, in milliseconds. */
const FILES_WALL_MS = 600_000;

export interface SessionParts {
  readonly pod: Pod;
  readonly limits: AllLimits;
  readonly master: SandboxSession['master'];
  /** Removes what the session has in the cluster. */
  readonly remove: () => Promise<void>;
}

export function kubernetesSession({ pod, limits, master, remove }: SessionParts): SandboxSession {
  const running = new Set<RunningCommand>();
  let closing: Promise<void> | undefined;

  function start(command: Command, within: AllLimits): RunningCommand {
    if (closing !== undefined)
      throw new SkeinError('SANDBOX_LOST', 'The sandbox session is closed.');
    const started = startCommand(command, within, async () => {
      if (pod.isLost) {
        await pod.endedOutOfMemory();
        throw pod.lostError();
      }
      try {
        return await launchIn(pod, command, within);
      } catch (error) {
        throw pod.isLost ? pod.lostError() : clusterError(error, 'start a command');
      }
    });
    running.add(started);
    const forget = (): void => void running.delete(started);
    started.ended.then(forget, forget);
    return started;
  }

  /** Programs of the driver have the memory and the cores of the session, and no other limit. */
  const own: AllLimits = {
    ...limits,
    cpuMs: Infinity,
    wallMs: FILES_WALL_MS,
    outputBytes: Infinity,
    fileBytes: Infinity,
    pids: Infinity,
  };
  const program = (argv: readonly string[], stdin?: Uint8Array): RunningCommand =>
    start({ argv, workspace: 'writable', ...(stdin === undefined ? {} : { stdin }) }, own);

  async function killAll(): Promise<void> {
    await Promise.allSettled([...running].map((command) => command.kill()));
  }

  function guest(command: Command): RunningCommand {
    refuseCommand(command, limits);
    return start(command, tightened(limits, command.limits));
  }

  return {
    workspace: WORKSPACE,
    master,
    async put(files) {
      await putFiles(files, program);
    },
    start: guest,
    async run(command): Promise<Ending & { stdout: Uint8Array; stderr: Uint8Array }> {
      return await runToEnd(guest(command), limits.outputBytes);
    },
    async *collect(paths, maxBytes): AsyncGenerator<CollectedFile> {
      await killAll();
      // The archiver has the rights of the guest; the modes of the guest's files must not stop it.
      const opening = program(['chmod', '-R', 'u+rwX', '.']);
      await runToEnd(opening, 0);
      yield* collectFiles(paths, maxBytes, program);
    },
    close() {
      closing ??= killAll().then(async () => {
        await pod.end();
        // The pod has ended with its connection. While the API server is away, the Job remains until
        // its time to live, or until a worker sweeps.
        await remove().catch(() => undefined);
      });
      return closing;
    },
  };
}

/** @throws SkeinError SANDBOX_UNSUPPORTED. */
function refuseCommand(command: Command, limits: AllLimits): void {
  if (command.workspace === 'read-only') {
    throw new SkeinError(
      'SANDBOX_UNSUPPORTED',
      'The driver kubernetes cannot keep a command from writing to the workspace. Use bubblewrap or docker, or let it write.',
    );
  }
  const tight = tightened(limits, command.limits);
  const name = (['memoryBytes', 'diskBytes', 'cores'] as const).find(
    (each) => tight[each] < limits[each],
  );
  if (name !== undefined) {
    throw new SkeinError(
      'SANDBOX_UNSUPPORTED',
      `The driver kubernetes bounds ${name} of a session, not of one command; open a session with limits.${name} = ${tight[name]}.`,
    );
  }
}
