/** Two real ranks on a real node. One of them is killed on the way. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@skein/api/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runExample } from '../../scripts/testing/example.ts';
import { requireComponent } from '../../scripts/testing/components.ts';
import { startTestNode, type TestNode } from '../../packages/server/src/testing/test-node.ts';
import { gangModel, startGang } from './gang.ts';

const EPOCHS = 60;
const table = join(import.meta.dirname, '../wdbc/wdbc.csv');
const torch = requireComponent('python3-torch');

describe.skipIf(torch.skip)('a gang of two ranks', () => {
  let node: TestNode;
  let client: Client;

  beforeAll(async () => {
    node = await startTestNode({ cores: 2, queues: ['default'] });
    client = node.client;
  }, 60_000);

  afterAll(async () => {
    await node.close();
  });

  it('survives the loss of a rank, from its checkpoint', async () => {
    const ranks = await startGang(client, { table, label: 'diagnosis', ranks: 2, epochs: EPOCHS });
    const lines: string[] = [];
    let killed: Promise<void> | undefined;
    const model = await gangModel(client, ranks, {
      onProgress(line) {
        lines.push(line);
        // In the second epoch of one rank, all have written the checkpoint of the first.
        if (/^epoch ([2-9]|\d\d)/.test(line)) killed ??= killRank(1);
      },
    });
    await killed;
    const [first, second] = await Promise.all(ranks.map(({ id }) => client.getJob({ id })));
    expect(second!.attempts.map(({ outcome }) => outcome)).toEqual(['signal', 'succeeded']);
    expect(first!.attempts.at(-1)!.outcome).toBe('succeeded');
    // The other rank fails alone or is stopped with the gang, whichever happens first.
    expect(first!.attempts.length).toBe(2);
    expect(lines.some((line) => line.startsWith('rank 1 is '))).toBe(true);

    const { text } = await client.readJobLog({ id: first!.id });
    const resumedAfter = Number(/resumes after epoch (\d+) of the checkpoint/.exec(text)![1]);
    expect(resumedAfter).toBeGreaterThan(0);
    expect(resumedAfter).toBeLessThan(EPOCHS);
    const accuracy = Number(/accuracy ([\d.]+) on 114 rows/.exec(text)![1]);
    expect(accuracy).toBeGreaterThan(0.94);
    expect(model.byteLength).toBeGreaterThan(1000);
  }, 180_000);

  it('ends with a deployment that answers, as a command', async () => {
    const { code, stdout, stderr } = await start('--epochs', '20', '--server', node.url);
    expect(stderr).toContain('epoch 20/20');
    expect(stderr).toContain('deployed as version 1 of diagnosis');
    expect(code).toBe(0);
    const { benign, malignant } = JSON.parse(stdout) as Record<string, number>;
    expect(malignant).toBeGreaterThan(0.9);
    expect(benign! + malignant!).toBeCloseTo(1, 5);
  }, 180_000);
});

const start = (...args: string[]) => runExample(import.meta.dirname, ...args);

/** Ends the Python process of a rank as a machine does that loses its power. */
async function killRank(rank: number): Promise<void> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const [command, environment] = await Promise.all(
      ['cmdline', 'environ'].map((file) =>
        readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => ''),
      ),
    );
    const trains = command!.startsWith('/usr/bin/python3\0train.py\0');
    if (trains && environment!.split('\0').includes(`RANK=${rank}`)) {
      process.kill(Number(pid), 'SIGKILL');
    }
  }
}
