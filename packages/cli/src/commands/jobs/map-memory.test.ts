/**
 * A map over more data than any of its processes may have memory, with measured memory: of the
 * processes that do the work, of the node that schedules them, and of the command that uploads the
 * data.
 */
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobView } from '@skein/api';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import { startCli } from '../../testing/cli.ts';
import type { MapOutcome } from './map.ts';

const MIB = 2 ** 20;
/** The least that a job with a statement may have. */
const MEMORY_MIB = 320;
/** More than three times that. */
const ROWS = 3_000_000;
const PADDING = 'x'.repeat(330);

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess({ jobs: true });
});
afterAll(() => node.stop());

async function* table(): AsyncGenerator<string> {
  yield 'key,text\n';
  for (let at = 0; at < ROWS; at += 1000) {
    let piece = '';
    for (let row = at; row < at + 1000; row++) {
      // Every text occurs twice, far apart.
      const text = (row * 7919) % (ROWS / 2);
      piece += `${row % 97},${PADDING}${text}\n`;
    }
    yield piece;
  }
}

/** Peak memory of a process from the kernel, which only grows; 0 when it has ended. */
function peakBytesOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

it.skipIf(process.platform !== 'linux')(
  'memory stays bounded for data of any size',
  async () => {
    await pipeline(Readable.from(table()), createWriteStream(join(node.folder, 'large.csv')));
    const idle = peakBytesOf(node.pid);
    const cli = startCli(
      [
        ...`map --json --data large.csv --cores 1 --memory ${MEMORY_MIB}MiB`.split(' '),
        ...'--by text --out sums --format jsonl --reduce'.split(' '),
        // All texts of a partition are held until the last row has come.
        `SELECT count(*)::INTEGER AS texts, sum(n)::INTEGER AS n, sum(keys)::INTEGER AS keys
           FROM (SELECT text, count(*) AS n, sum(key) AS keys FROM part GROUP BY text)`,
      ],
      { cwd: node.folder },
    );
    let client = 0;
    const watching = setInterval(() => {
      if (cli.process.exitCode === null) {
        client = Math.max(client, peakBytesOf(cli.process.pid ?? 0));
      }
    }, 50);
    const { code, stdout, stderr } = await cli.ended;
    clearInterval(watching);
    expect({ code, stderr, stdout: code === 0 ? '' : stdout }).toEqual({
      code: 0,
      stderr: '',
      stdout: '',
    });
    const { job, fetched } = JSON.parse(stdout) as MapOutcome;
    const sums = fetched.slice(1).map((file) => JSON.parse(readFileSync(file, 'utf8')) as Sums);
    const add = (key: keyof Sums): number => sums.reduce((sum, each) => sum + each[key], 0);
    const keys = Array.from({ length: ROWS }, (_, row) => row % 97).reduce((a, b) => a + b, 0);
    expect([add('texts'), add('n'), add('keys')]).toEqual([ROWS / 2, ROWS, keys]);

    const { jobs } = await node.json<{ jobs: JobView[] }>('jobs', 'ls', '--group', job.id);
    const peaks: Record<string, number> = {};
    for (const { id, name } of jobs) {
      // It reads the file in chunks of 1 MiB, without an engine.
      if (name.startsWith('scan ')) continue;
      const { text } = await node.json<{ text: string }>('jobs', 'logs', id);
      peaks[name] = Number(/at most (\d+) MiB/.exec(text)?.[1]);
    }
    expect(Object.keys(peaks)).toContain('describe data');
    for (const peak of Object.values(peaks)) expect(peak).toBeLessThanOrEqual(MEMORY_MIB);
    // The node that passes the data on holds less than a shard of it, in both directions.
    const served = peakBytesOf(node.pid);
    expect(idle).toBeGreaterThan(0);
    expect(served - idle).toBeLessThan(MEMORY_MIB * MIB);
    expect(client).toBeGreaterThan(0);
    expect(client).toBeLessThan(MEMORY_MIB * MIB);
  },
  600_000,
);

interface Sums {
  readonly texts: number;
  readonly n: number;
  readonly keys: number;
}
