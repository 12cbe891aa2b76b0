/**
 * The launcher of a driver: a small shell (launcher.sh says why) that keeps a few processes parked.
 *
 * A slot passes through: asked → forked → parked (its group is joined, its pipes are there) →
 * released → ended → removed. `take` hands out a parked one and asks for the next.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ControlGroups } from '../cgroup/contract.ts';
import { readLines, type Lines } from './lines.ts';
import { openPipes } from './pipes.ts';
import { releaseLines, type Slot } from './slot.ts';

const SCRIPT = fileURLToPath(new URL('launcher.sh', import.meta.url));

export interface LauncherOptions {
  readonly groups: ControlGroups | undefined;
  /** The file that every command finds open at descriptor 5. */
  readonly seccomp: string;
  /** How many slots wait. */
  readonly parked: number;
}

export interface Launcher {
  /** A parked process. @throws Error when the launcher is closed or cannot make one. */
  take(): Promise<Slot>;
  /** Ends the launcher and with it every command that it launched. */
  close(): Promise<void>;
}

/** What the shell says about one slot. */
interface News {
  readonly forked: PromiseWithResolvers<number>;
  readonly parked: PromiseWithResolvers<void>;
  readonly ended: PromiseWithResolvers<number>;
}

export function startLauncher({ groups, seccomp, parked }: LauncherOptions): Launcher {
  // A session of its own: a guest cannot reach the terminal of the node, nor does Ctrl-C reach guests.
  const shell = spawn('/bin/sh', [SCRIPT, groups?.folders.join(' ') ?? '', seccomp], {
    detached: true,
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const complaints: string[] = [];
  const news = new Map<string, News>();
  const slots = new Set<Slot>();
  const waiting: Promise<Slot>[] = [];
  let count = 0;
  let closed = false;

  shell.stdin.on('error', () => undefined);
  void keepLast(readLines(shell.stderr), complaints);
  void distribute(readLines(shell.stdout), news, complaints);
  const gone = endOf(shell).then(() => {
    closed = true;
    const error = new Error(`the launcher has ended: ${complaints.join('; ')}`);
    for (const { forked, parked, ended } of news.values()) {
      for (const step of [forked, parked, ended]) step.reject(error);
    }
  });

  async function make(): Promise<Slot> {
    const name = String(++count);
    const group = await groups?.create(name);
    if (closed) throw new Error('the launcher is closed');
    const { forked, parked, ended } = expectNews(name, news);
    shell.stdin.write(`park ${name}\n`);
    const [pid] = await Promise.all([forked.promise, parked.promise]);
    const pipes = openPipes(pid);

    let reaped = false;
    const exitStatus = async (): Promise<number> => {
      if (!reaped) shell.stdin.write(`reap ${name} ${pid}\n`);
      reaped = true;
      return await ended.promise;
    };
    const kill = (): void => {
      group?.kill();
      // Until it is reaped, the process id is its own.
      if (!reaped && !closed) process.kill(pid, 'SIGKILL');
    };
    const remove = async (): Promise<void> => {
      kill();
      pipes.control.destroy();
      pipes.stdin.destroy();
      await Promise.all([group?.remove(), exitStatus().catch(() => undefined)]);
      news.delete(name);
      slots.delete(slot);
    };
    let removed: Promise<void> | undefined;
    const slot: Slot = {
      pid,
      name,
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
    slots.add(slot);
    return slot;
  }

  function refill(): void {
    while (!closed && waiting.length < parked) {
      const slot = make();
      slot.catch(() => undefined);
      waiting.push(slot);
    }
  }

  refill();
  return {
    async take() {
      const slot = waiting.shift() ?? make();
      refill();
      return await slot;
    },
    async close() {
      await Promise.allSettled(waiting);
      closed = true;
      shell.stdin.end();
      await gone;
      await Promise.allSettled([...slots].map((slot) => slot.remove()));
    },
  };
}

function expectNews(name: string, news: Map<string, News>): News {
  const steps = {
    forked: Promise.withResolvers<number>(),
    parked: Promise.withResolvers<void>(),
    ended: Promise.withResolvers<number>(),
  };
  // When the launcher goes, not every step is awaited by somebody.
  for (const step of Object.values(steps)) step.promise.catch(() => undefined);
  news.set(name, steps);
  return steps;
}

async function distribute(
  lines: Lines,
  news: ReadonlyMap<string, News>,
  complaints: readonly string[],
): Promise<void> {
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    const [verb, name = '', value] = line.split(' ');
    const slot = news.get(name);
    if (verb === 'forked') slot?.forked.resolve(Number(value));
    if (verb === 'parked') slot?.parked.resolve();
    if (verb === 'ended') slot?.ended.resolve(Number(value));
    if (verb === 'failed') slot?.parked.reject(new Error(`no slot: ${complaints.join('; ')}`));
  }
}

async function keepLast(lines: Lines, complaints: string[]): Promise<void> {
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    complaints.push(line);
    if (complaints.length > 5) complaints.shift();
  }
}

async function endOf(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
}
