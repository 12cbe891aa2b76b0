/** p50 latency at one connection, by wrk: in C, so that little of the figure is the client's own. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './folder.ts';

const run = promisify(execFile);

interface OneConnection {
  readonly url: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly seconds: number;
}

const IN_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 };

/** @returns milliseconds. @throws Error when an answer was not 200. */
export async function medianLatency({
  url,
  body,
  headers,
  seconds,
}: OneConnection): Promise<number> {
  const folder = await temporaryFolder();
  try {
    const bodyPath = join(folder.path, 'body');
    const script = join(folder.path, 'request.lua');
    await writeFile(bodyPath, body);
    await writeFile(
      script,
      [
        `local file = io.open(${JSON.stringify(bodyPath)}, "rb")`,
        'wrk.method = "POST"',
        'wrk.body = file:read("*a")',
        ...Object.entries(headers).map(
          ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
        ),
      ].join('\n'),
    );
    const { stdout } = await run('wrk', [
      '-t1',
      '-c1',
      `-d${seconds}s`,
      '--latency',
      '-s',
      script,
      url,
    ]);
    const [, value, unit = ''] = /50%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? [];
    if (value === undefined || /Non-2xx|Socket errors/.test(stdout)) {
      throw new Error(`wrk against ${url}: ${stdout}`);
    }
    return Number(value) * (IN_MS[unit] ?? Number.NaN);
  } finally {
    await folder.remove();
  }
}
