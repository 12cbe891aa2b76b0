/**
 * The launcher of a driver: keeps a few processes parked, ready to become a command.
 *
 * A slot passes through: asked → forked → parked (it has joined its group and has its pipes) →
 * released → ended → removed. `take` returns a parked slot and asks for the next. A killed shell
 * takes its slots with it; the next `take` starts another shell.
 */
import type { ControlGroup, ControlGroups } from '../cgroup/contract.ts';
import { openPipes, type Pipes } from './pipes.ts';
import { startShell, type Parked, type Shell } from './shell.ts';
import { releaseLines, type Slot } from './slot.ts';

export interface LauncherOptions {
  readonly groups: ControlGroups | undefined;
  /** The file that every command finds open at descriptor 5. */
  readonly seccomp: string;
  /** The command prefix that starts the shell in name spaces. */
  readonly within?: readonly string[];
  /** The number of slots that wait. */
  readonly parked: number;
}

export interface Launcher {
  /** A parked process. @throws Error when the launcher is closed or cannot make one. */
  take(): Promise<Slot>;
  /** Ends every command that it launched. */
  close(): Promise<void>;
}

export function startLauncher({ groups, seccomp, within = [], parked }: LauncherOptions): Launcher {
  const slots = new Set<Slot>();
  const start = (): Shell => startShell({ folders: groups?.folders ?? [], seccomp, within });
  let shell = start();
  let waiting: Promise<Slot>[] = [];
  let count = 0;
  let closed = false;

  async function make(): Promise<Slot> {
    if (closed) throw new Error('the launcher is closed');
    const mother = shell;
    const name = String(++count);
    const group = await groups?.create(name);
    try {
      const process = await mother.park(name);
      const slot = assemble(name, process, mother, group, () => slots.delete(slot));
      slots.add(slot);
      return slot;
    } catch (error) {
      await group?.remove();
      throw error;
    }
  }

  function refill(): void {
    while (!closed && waiting.length < parked) {
      const slot = make();
      // The caller of `take` awaits it.
      slot.catch(() => undefined);
      waiting.push(slot);
    }
  }

  function restart(): void {
    shell = start();
    waiting = [];
    for (const slot of slots) slot.remove().catch(() => undefined);
  }

  refill();
  return {
    async take() {
      if (shell.gone && !closed) restart();
      const slot = waiting.shift() ?? make();
      refill();
      return await slot;
    },
    async close() {
      closed = true;
      await Promise.allSettled(waiting);
      await shell.close();
      await Promise.allSettled([...slots].map((slot) => slot.remove()));
    },
  };
}

function assemble(
  name: string,
  { pid, hostPid }: Parked,
  shell: Shell,
  group: ControlGroup | undefined,
  onRemove: () => void,
): Slot {
  const pipes: Pipes = openPipes(hostPid);
  let status: Promise<number> | undefined;
  let removed: Promise<void> | undefined;
  const exitStatus = (): Promise<number> => (status ??= shell.reap(name));
  const kill = (): void => {
    // Another process may get its process id soon after it ended; its group is never reused.
    if (group !== undefined) group.kill();
    else if (!pipes.status.ended) tryKill(hostPid);
  };
  const remove = async (): Promise<void> => {
    kill();
    pipes.control.destroy();
    pipes.stdin.destroy();
    await Promise.all([group?.remove(), exitStatus().catch(() => undefined)]);
    onRemove();
  };
  return {
    name,
    pid,
    hostPid,
    covered: shell.covered,
    group,
    stdin: pipes.stdin,
    stdout: pipes.stdout,
    stderr: pipes.stderr,
    status: pipes.status,
    release(release) {
      if (release.uid !== undefined) pipes.giveTo(release.uid);
      pipes.control.write(releaseLines(release));
      pipes.control.end(release.options ?? new Uint8Array());
    },
    exitStatus,
    kill,
    remove: () => (removed ??= remove()),
  };
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
