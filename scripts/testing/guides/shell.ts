/** One shell, as a terminal holds it: variables and the current folder stay from command to command. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const MARK = '::the command has ended::';
const ENDED = new RegExp(`${MARK} (\\d+)\\n$`);
/** Milliseconds that one command may take on a busy machine. */
const PATIENCE = 240_000;
/** Time between two reads of a server's output. */
const POLL_MS = 100;

export interface Typed {
  readonly status: number;
  /** Standard output and errors, in the order in which a terminal shows them. */
  readonly text: string;
}

export interface Shell {
  /** Runs a command to its end. */
  run: (command: string) => Promise<Typed>;
  /** Starts a command that serves, and waits until its output shows that it serves. The shell's end ends it. */
  serve: (command: string, isReady: (printed: string) => boolean) => Promise<Typed>;
  end: () => Promise<void>;
}

/** @param place of the files that hold the commands. */
export function openShell(place: string, cwd: string, env: Record<string, string>): Shell {
  const bash = spawn('bash', ['--norc'], { cwd, env, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(bash, 'exit');
  bash.stdin.write('exec 2>&1\n');
  const servers: number[] = [];
  let count = 0;

  async function typeLine(line: string): Promise<Typed> {
    let text = '';
    let timer: NodeJS.Timeout | undefined;
    const status = await new Promise<number>((resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`Still running after ${PATIENCE} ms: ${text}`)),
        PATIENCE,
      );
      bash.stdout.removeAllListeners('data').on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const found = ENDED.exec(text);
        if (found !== null) resolve(Number(found[1]));
      });
      bash.stdin.write(`${line}\nprintf '\\n${MARK} %d\\n' $?\n`);
    }).finally(() => clearTimeout(timer));
    return { status, text: text.replace(ENDED, '').trimEnd() };
  }

  function scriptOf(command: string): string {
    const script = join(place, `command-${++count}.sh`);
    writeFileSync(script, `${command}\n`);
    return script;
  }

  return {
    run: (command) => typeLine(`. ${scriptOf(command)} < /dev/null`),
    async serve(command, isReady) {
      const script = scriptOf(command);
      const log = `${script}.log`;
      const { text } = await typeLine(
        `(set -a; exec setsid bash ${script}) > ${log} 2>&1 < /dev/null & echo $!`,
      );
      const id = Number(text);
      servers.push(id);
      const until = Date.now() + PATIENCE;
      let printed = '';
      // Until it is ready and has nothing more to print.
      for (let before; !isReady(printed) || before !== printed; before = printed) {
        if (Date.now() > until || !isAlive(id)) return { status: 1, text: printed };
        await delay(POLL_MS);
        [before, printed] = [printed, readFileSync(log, 'utf8')];
      }
      return { status: 0, text: printed };
    },
    async end() {
      // The last one first: it may need those before it to end, as a worker needs its Redis.
      for (const id of servers.toReversed()) {
        if (isAlive(-id)) process.kill(-id, 'SIGTERM');
        while (isAlive(-id)) await delay(POLL_MS);
      }
      bash.kill('SIGKILL');
      await ended;
    },
  };
}

/** @param id of a process; negative: of a group of processes. */
function isAlive(id: number): boolean {
  try {
    return process.kill(id, 0);
  } catch {
    return false;
  }
}
