/** A session is one pod of a Job; a command is a program that `exec` starts in it. */
import { SkeinError } from '@skein/api';
import { startCommand } from '../command/command.ts';
import type { AllLimits } from '../command/limits.ts';
import { sessionOf } from '../command/session.ts';
import type { Command, RunningCommand, SandboxSession } from '../contract.ts';
import { clusterError } from './cluster/cluster.ts';
import { launchIn } from './command/launch.ts';
import { WORKSPACE } from './pod/manifests.ts';
import type { OpenedPod } from './pod/open-pod.ts';

/** Programs of the driver move files; this only ends one that hangs, in milliseconds. */
const FILES_WALL_MS = 600_000;

export function kubernetesSession({ pod, limits, master, remove }: OpenedPod): SandboxSession {
  function start(command: Command, within: AllLimits): RunningCommand {
    return startCommand(command, within, async () => {
      if (pod.isLost()) {
        await pod.endedOutOfMemory();
        throw pod.lostError();
      }
      try {
        return await launchIn(pod, command, within);
      } catch (error) {
        throw pod.isLost() ? pod.lostError() : clusterError(error, 'start a command');
      }
    });
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
  return sessionOf({
    workspace: WORKSPACE,
    master,
    limits,
    start(command, within) {
      refuseCommand(command, within, limits);
      return start(command, within);
    },
    program: (argv, _, stdin) => start({ argv, workspace: 'writable', stdin }, own),
    // The archiver has the rights of the guest; the modes of the guest's files must not stop it.
    opening: ['chmod', '-R', 'u+rwX', '.'],
    async end() {
      await pod.end();
      // The pod has ended with its connection. While the API server is away, the Job remains until
      // its time to live, or until a worker sweeps.
      await remove().catch(() => undefined);
    },
  });
}

/** @throws SkeinError SANDBOX_UNSUPPORTED. */
function refuseCommand({ workspace }: Command, tight: AllLimits, limits: AllLimits): void {
  if (workspace === 'read-only') {
    throw new SkeinError(
      'SANDBOX_UNSUPPORTED',
      'The driver kubernetes cannot keep a command from writing to the workspace. Use bubblewrap or docker, or let it write.',
    );
  }
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
