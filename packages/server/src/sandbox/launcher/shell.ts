/** The shell of a launcher: runs launcher.sh, and understands what it says. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { readLines, type Lines } from './lines.ts';

const SCRIPT = fileURLToPath(new URL('launcher.sh', import.meta.url));
/** How many of the shell's complaints are kept for an error. */
const COMPLAINTS = 5;

export interface Shell {
  /** Whether it has ended, and with it all that it launched. */
  readonly gone: boolean;
  /** Forks a process that joins the control groups named like the slot. Resolves with its process id. */
  park(name: string): Promise<number>;
  /** Waits for a process that is ending. Resolves with its exit status; its process id is free then. */
  reap(name: string, pid: number): Promise<number>;
  /** Kills all that was launched. */
  close(): Promise<void>;
}

/** What the shell says about one slot. */
interface News {
  readonly forked: PromiseWithResolvers<number>;
  readonly parked: PromiseWithResolvers<void>;
  readonly ended: PromiseWithResolvers<number>;
}

/** @param folders of control groups. @param seccomp the file that what is launched has open at 5. */
export function startShell(folders: readonly string[], seccomp: string): Shell {
  // A session of its own: a guest cannot reach the terminal of the node, nor does Ctrl-C reach guests.
  const child = spawn('/bin/sh', [SCRIPT, folders.join(' '), seccomp], {
    detached: true,
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const complaints: string[] = [];
  const news = new Map<string, News>();
  let gone = false;

  const said = (what: string): Error => new Error([what, ...complaints].join('; '));
  const end = new Promise<void>((resolve) => {
    const finish = (): void => {
      gone = true;
      for (const { forked, parked, ended } of news.values()) {
        for (const step of [forked, parked, ended]) step.reject(said('the launcher has ended'));
      }
      news.clear();
      resolve();
    };
    child.once('error', finish);
    child.once('close', finish);
  });
  // Writing to a shell that has ended is no news: `end` is.
  child.stdin.on('error', () => undefined);
  void follow(readLines(child.stderr), (line) => {
    complaints.push(line);
    if (complaints.length > COMPLAINTS) complaints.shift();
  });
  void follow(readLines(child.stdout), (line) => {
    const [verb, name = '', value] = line.split(' ');
    const slot = news.get(name);
    if (verb === 'forked') slot?.forked.resolve(Number(value));
    if (verb === 'parked') slot?.parked.resolve();
    if (verb === 'failed') slot?.parked.reject(said('a process could not be parked'));
    if (verb === 'ended') slot?.ended.resolve(Number(value));
  });

  return {
    get gone() {
      return gone;
    },
    async park(name) {
      if (gone) throw said('the launcher has ended');
      const slot = expectNews();
      news.set(name, slot);
      child.stdin.write(`park ${name}\n`);
      const [pid] = await Promise.all([slot.forked.promise, slot.parked.promise]);
      return pid;
    },
    async reap(name, pid) {
      const slot = news.get(name);
      if (slot === undefined) throw said('the launcher has ended');
      child.stdin.write(`reap ${name} ${pid}\n`);
      const status = await slot.ended.promise;
      news.delete(name);
      return status;
    },
    async close() {
      child.stdin.end();
      await end;
    },
  };
}

function expectNews(): News {
  const steps = {
    forked: Promise.withResolvers<number>(),
    parked: Promise.withResolvers<void>(),
    ended: Promise.withResolvers<number>(),
  };
  // When the shell ends, not every step is awaited by somebody.
  for (const step of Object.values(steps)) step.promise.catch(() => undefined);
  return steps;
}

async function follow(lines: Lines, each: (line: string) => void): Promise<void> {
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) each(line);
}
