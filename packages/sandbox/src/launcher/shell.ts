/** The shell of a launcher: runs launcher.sh, and parses its output. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readLines, type Lines } from './lines.ts';

const SCRIPT = fileURLToPath(new URL('launcher.sh', import.meta.url));
/** How many of the shell's error lines are kept for an error. */
const COMPLAINTS = 5;

export interface Shell {
  /** Descriptors that launched processes inherit in addition to their own: open, but useless. */
  readonly covered: readonly number[];
  /** Whether it has ended, and with it all launched processes. */
  readonly gone: boolean;
  /** Forks a process that joins the control groups named like the slot. */
  park(name: string): Promise<Parked>;
  /**
   * Waits for the slot's process, which is ending. Resolves with its exit status; its process id
   * may then be reused.
   */
  reap(name: string): Promise<number>;
  /** Kills all launched processes. */
  close(): Promise<void>;
}

/** The process ids of a parked process. */
export interface Parked {
  readonly hostPid: number;
  /** In the launcher's name space. */
  readonly pid: number;
}

/** The messages of the shell about one slot. */
interface Steps {
  readonly forked: PromiseWithResolvers<number>;
  readonly parked: PromiseWithResolvers<void>;
  readonly ended: PromiseWithResolvers<number>;
}

export interface ShellOptions {
  /** Folders of control groups. */
  readonly folders: readonly string[];
  /** The file that launched processes find open at descriptor 5. */
  readonly seccomp: string;
  /** The command prefix of the shell: `unshare` with its options, or nothing. */
  readonly within: readonly string[];
}

export function startShell({ folders, seccomp, within }: ShellOptions): Shell {
  const words = [...within, '/bin/sh', SCRIPT, folders.join(' '), seccomp];
  const covered = inheritedDescriptors();
  const nothing = openSync('/dev/null', 'r');
  // A session of its own: a guest cannot reach the terminal of the node, nor does Ctrl-C reach guests.
  const child = spawn('/usr/bin/env', words, {
    detached: true,
    // It may outlive the node by a moment, and must not keep a file system busy until then.
    cwd: '/',
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'pipe', ...stdioFrom3(covered, nothing)],
  }) as ChildProcessWithoutNullStreams;
  closeSync(nothing);
  const complaints: string[] = [];
  const slots = new Map<string, Steps>();
  let gone = false;

  const failure = (what: string): Error => new Error([what, ...complaints].join('; '));
  const end = new Promise<void>((resolve) => {
    const finish = (): void => {
      gone = true;
      for (const { forked, parked, ended } of slots.values()) {
        for (const step of [forked, parked, ended]) step.reject(failure('the launcher has ended'));
      }
      slots.clear();
      resolve();
    };
    child.once('error', finish);
    child.once('close', finish);
  });
  // A failed write means that the shell has ended, which `end` reports.
  child.stdin.on('error', () => undefined);
  void follow(readLines(child.stderr), (line) => {
    complaints.push(line);
    if (complaints.length > COMPLAINTS) complaints.shift();
  });
  void follow(readLines(child.stdout), (line) => {
    const [verb, name = '', value] = line.split(' ');
    const slot = slots.get(name);
    if (verb === 'forked') slot?.forked.resolve(Number(value));
    if (verb === 'parked') slot?.parked.resolve();
    if (verb === 'failed') slot?.parked.reject(failure('a process could not be parked'));
    if (verb === 'ended') slot?.ended.resolve(Number(value));
  });

  return {
    covered,
    get gone() {
      return gone;
    },
    async park(name) {
      if (gone) throw failure('the launcher has ended');
      const slot = expectSteps();
      slots.set(name, slot);
      child.stdin.write(`park ${name}\n`);
      const [pid] = await Promise.all([slot.forked.promise, slot.parked.promise]);
      return { pid, hostPid: findHostPid(child.pid ?? 0, pid) };
    },
    async reap(name) {
      const slot = slots.get(name);
      if (slot === undefined) throw failure('the launcher has ended');
      child.stdin.write(`reap ${name} ${await slot.forked.promise}\n`);
      const status = await slot.ended.promise;
      slots.delete(name);
      return status;
    },
    async close() {
      child.stdin.end();
      await end;
    },
  };
}

/** O_CLOEXEC among the flags in /proc/PID/fdinfo. */
const CLOSE_ON_EXEC = 0o2000000;

/**
 * The descriptors of this process that a child would inherit. Node marks its own close-on-exec, but
 * not the ones that it was started with, nor the ones of libraries.
 */
function inheritedDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => {
      const flags = /^flags:\s*(\d+)$/m.exec(readProc(`self/fdinfo/${fd}`))?.[1];
      return fd > 2 && flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
    });
}

/**
 * The `stdio` of a child from its third descriptor on, in which the inherited ones are replaced.
 */
function stdioFrom3(descriptors: readonly number[], by: number): ('ignore' | number)[] {
  const length = Math.max(2, ...descriptors) - 2;
  return Array.from({ length }, (_, index) => (descriptors.includes(index + 3) ? by : 'ignore'));
}

/**
 * The process that has the id `pid` in its innermost name space, among the children of `ancestor`
 * and theirs. @throws Error when there is none.
 */
function findHostPid(ancestor: number, pid: number): number {
  for (let parents = [ancestor]; parents.length > 0; parents = parents.flatMap(childrenOf)) {
    const found = parents.flatMap(childrenOf).find((child) => innerPid(child) === pid);
    if (found !== undefined) return found;
  }
  throw new Error(`the launcher’s process ${pid} is gone`);
}

function childrenOf(pid: number): number[] {
  return readProc(`${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

function innerPid(pid: number): number {
  return Number(/^NSpid:.*\t(\d+)$/m.exec(readProc(`${pid}/status`))?.[1]);
}

/** Returns nothing when the process is gone. */
function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'latin1');
  } catch {
    return '';
  }
}

function expectSteps(): Steps {
  const steps = {
    forked: Promise.withResolvers<number>(),
    parked: Promise.withResolvers<void>(),
    ended: Promise.withResolvers<number>(),
  };
  // When the shell ends, some steps have no caller that awaits them.
  for (const step of Object.values(steps)) step.promise.catch(() => undefined);
  return steps;
}

async function follow(lines: Lines, each: (line: string) => void): Promise<void> {
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) each(line);
}
