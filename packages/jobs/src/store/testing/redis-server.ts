/** A Redis of one's own for a test: on a free port of loopback, with its append-only file. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../worker/free-port.ts';

export interface TestRedis {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  /** Kills it, as `kill -9` does. The files that it had written stay. */
  kill(): Promise<void>;
  /** Starts it again on the same port and files; resolves when it answers. */
  start(): Promise<void>;
  pid(): number;
  /** Ends it and removes its files. */
  destroy(): Promise<void>;
}

export interface TestRedisOptions {
  /** `always`: every answer is on the disk; `no`: the kernel decides, which is enough for `kill -9`. */
  readonly fsync?: 'always' | 'everysec' | 'no';
  /** Where its files are; made when absent. */
  readonly folder?: string;
  /** Further settings, as `--NAME VALUE …`. */
  readonly settings?: readonly string[];
  /** Address that it listens on; default: loopback. */
  readonly host?: string;
  /** A command that starts it elsewhere, such as in a namespace, and becomes it. */
  readonly within?: readonly string[];
}

export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'skein-redis-')));
  const { host = '127.0.0.1', within = [] } = options;
  const port = await freePort(host);
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const [command, ...words] = [
      ...within,
      ...`redis-server --port ${port} --bind ${host} --dir ${folder} --appendonly yes`.split(' '),
      '--appendfsync',
      options.fsync ?? 'no',
      '--save',
      '',
      ...(options.settings ?? []),
    ];
    const server = spawn(command!, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    child = server;
    let output = '';
    await new Promise<void>((resolve, reject) => {
      server.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('Ready to accept connections')) resolve();
      });
      server.once('exit', () => reject(new Error(`redis-server ended: ${output}`)));
    });
    server.stdout.removeAllListeners('data').resume();
  }
  async function kill(): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
  await start();
  return {
    url: `redis://${host}:${port}`,
    port,
    folder,
    start,
    kill,
    pid: () => child?.pid ?? 0,
    async destroy() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
