/**
 * The closed-loop generator: h2load (nghttp2), because it speaks HTTP/1.1 and HTTP/2, is written in
 * C, and so takes little of the two cores from the server that is measured. The same program drives
 * every server of a comparison.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './folder.ts';

const run = promisify(execFile);

interface ClosedLoop {
  readonly url: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
  readonly protocol: 'http1' | 'http2';
  /**
   * Not counted. Default: 1 s, long enough for the compiler of either server and for what a server
   * learns from its runs.
   */
  readonly warmUpSeconds?: number;
  /**
   * Runs under Linux's SCHED_BATCH policy. The generator stands for clients on other machines, but
   * shares the cores: where answers take microseconds, each one would wake it in the place of the
   * thread that is about to write the next.
   */
  readonly yields?: boolean;
  /** The core that the generator is pinned to; absent: any. */
  readonly core?: number;
}

const YIELDING = ['chrt', '--batch', '0'];

export interface ClosedLoopResult {
  readonly requestsPerSecond: number;
  readonly requests: number;
  readonly meanMs: number;
}

/** h2load reads whole numbers alone. */
const duration = (seconds: number): string => `${Math.round(seconds * 1000)}ms`;

const toMs = (text: string): number => {
  const [, value = '0', unit = 'us'] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? [];
  return Number(value) * ({ us: 0.001, ms: 1, s: 1000 }[unit] ?? 1);
};

/** @throws Error when a single request failed: a rate of errors is not a rate. */
export async function closedLoop(options: ClosedLoop): Promise<ClosedLoopResult> {
  const folder = await temporaryFolder();
  try {
    const body = join(folder.path, 'body');
    await writeFile(body, options.body);
    const headers = Object.entries(options.headers).flatMap(([name, value]) => [
      '-H',
      `${name}: ${value}`,
    ]);
    const { core } = options;
    const command = [
      ...(core === undefined ? [] : ['taskset', '-c', String(core)]),
      ...(options.yields === true ? YIELDING : []),
      'h2load',
      ...(options.protocol === 'http1' ? ['--h1'] : []),
      `--warm-up-time=${duration(options.warmUpSeconds ?? 1)}`,
      '-D',
      duration(options.seconds),
      '-c',
      String(options.connections),
      '-m',
      '1',
      '-d',
      body,
      ...headers,
      options.url,
    ];
    const { stdout } = await run(command[0]!, command.slice(1));
    const rate = Number(/finished in [\d.]+\w+, ([\d.]+) req\/s/.exec(stdout)?.[1]);
    const [, done = '0', succeeded = '0'] = /(\d+) done, (\d+) succeeded/.exec(stdout) ?? [];
    const mean = /time for request:\s+\S+\s+\S+\s+(\S+)/.exec(stdout)?.[1] ?? '0us';
    if (!(rate > 0) || done !== succeeded)
      throw new Error(`h2load against ${options.url}: ${stdout}`);
    return { requestsPerSecond: rate, requests: Number(done), meanMs: toMs(mean) };
  } finally {
    await folder.remove();
  }
}
