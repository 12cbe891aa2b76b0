/** A user's machine: an empty home, an empty cache of npm, and the Node of this machine's PATH. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface User {
  /** An empty folder, unless a command has written there. */
  readonly folder: string;
  /** Runs a command to its end. @returns its output. @throws Error when it fails. */
  run(line: string, cwd?: string): string;
  /** Runs a command until its output matches; it is ended by `end`. */
  start(line: string, pattern: RegExp, cwd?: string): Promise<Started>;
  /** Bytes of the packages that npm has downloaded. */
  downloaded(): number;
  /** Kills what `start` has left running. */
  close(): void;
}

export interface Started {
  readonly output: string;
  /** Sends Ctrl-C. @throws Error when the command then fails. */
  end(): Promise<void>;
}

/** A package begins with these bytes. */
const GZIP = Buffer.from([0x1f, 0x8b]);

/** @param place a folder that is empty. */
export function createUser(place: string, registry: string): User {
  const [home, folder] = [join(place, 'home'), join(place, 'work')];
  for (const each of [home, folder]) mkdirSync(each, { recursive: true });
  writeFileSync(join(home, '.npmrc'), `registry=${registry}\n`);
  const isOurs = (each: string): boolean => each.includes('node_modules');
  const PATH = (process.env['PATH'] ?? '').split(delimiter).filter((each) => !isOurs(each));
  const env = { PATH: PATH.join(delimiter), HOME: home, npm_config_yes: 'true', CI: 'true' };

  const children: ChildProcess[] = [];

  return {
    folder,
    run(line, cwd = folder) {
      const { status, stdout, stderr } = spawnSync('sh', ['-c', line], {
        cwd,
        env,
        encoding: 'utf8',
        timeout: 120_000,
      });
      if (status !== 0) throw new Error(`${line} ended with ${status}:\n${stdout}${stderr}`);
      return stdout;
    },
    start(line, pattern, cwd = folder) {
      const child = spawn('sh', ['-c', `exec ${line}`], { cwd, env, detached: true });
      children.push(child);
      return startUntil(child, line, pattern);
    },
    downloaded: () =>
      globSync('.npm/_cacache/content-v2/*/*/*/*', { cwd: home })
        .map((file) => readFileSync(join(home, file)))
        // The cache has lists of versions too, but not as they are sent.
        .reduce((sum, file) => sum + (file.subarray(0, 2).equals(GZIP) ? file.length : 0), 0),
    close() {
      for (const { pid, exitCode, signalCode } of children) {
        if (exitCode === null && signalCode === null) process.kill(-pid!, 'SIGKILL');
      }
    },
  };
}

async function startUntil(child: ChildProcess, line: string, pattern: RegExp): Promise<Started> {
  let output = '';
  const exited = once(child, 'exit');
  const matched = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (pattern.test(output)) resolve();
      });
    }
  });
  const ended = exited.then(([code]) => {
    throw new Error(`${line} ended with ${String(code)}:\n${output}`);
  });
  await Promise.race([matched, ended]);
  ended.catch(() => {});
  return {
    output,
    async end() {
      // A terminal sends Ctrl-C to the whole group: npm, the shell and the node.
      process.kill(-child.pid!, 'SIGINT');
      const [code, signal] = (await exited) as [number | null, string | null];
      if (code !== 0 && signal !== 'SIGINT' && code !== 130) {
        throw new Error(`${line} ended with ${code ?? signal} after Ctrl-C:\n${output}`);
      }
    },
  };
}
