/** Training as a gang of jobs: real workers on a real node; one of them is killed meanwhile. */
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobView, Run } from '@skein/api';
import { createClient } from '@skein/api/client';
import type { ErrorBody } from '@skein/api/errors';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import { startCli } from '../../testing/cli.ts';

const WDBC = join(import.meta.dirname, '../../../../../examples/wdbc/wdbc.csv');
const WORK = ['train', '--model', 'mlp:16', '--data', 'wdbc.csv', '--label', 'diagnosis'];
const GANG = ['--gang', '2'];

interface Trained {
  readonly run: Run;
  readonly model: string;
}

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess({ jobs: true, args: ['--cores', '2'] });
  await copyFile(WDBC, join(node.folder, 'wdbc.csv'));
}, 60_000);
afterAll(() => node.stop());

/** Kills the process of a rank like a power failure of its machine. */
async function killRank(rank: number): Promise<number> {
  let killed = 0;
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const [command, environment] = await Promise.all(
      ['cmdline', 'environ'].map((file) =>
        readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => ''),
      ),
    );
    const [program, script] = command!.split('\0');
    if (program !== process.execPath || !script?.includes('/rank-program.')) continue;
    if (!environment!.split('\0').includes(`RANK=${rank}`)) continue;
    process.kill(Number(pid), 'SIGKILL');
    killed += 1;
  }
  return killed;
}

const accuracyOf = ({ result }: Run) =>
  result?.report?.kind === 'classification' ? result.report.accuracy : 0;

async function jobsOf(): Promise<readonly JobView[]> {
  const { jobs } = await createClient({ url: node.url }).listJobs();
  return Promise.all(jobs.map(({ id }) => createClient({ url: node.url }).getJob({ id })));
}

it('ends as a training here does: a run, a model, a version', async () => {
  const here = await node.json<Trained>(...WORK, '--lr', '0.01', '--epochs', '8', '--name', 'here');
  const { run, model } = await node.json<Trained>(
    ...WORK,
    ...GANG,
    '--lr',
    '0.01',
    '--epochs',
    '8',
    '--name',
    'there',
    '--out',
    'there.onnx',
    '--deploy',
    'risk',
  );
  expect(run).toMatchObject({
    status: 'finished',
    name: 'there',
    plan: { gang: 2, data: 'wdbc.csv' },
  });
  expect(run.lineage).toEqual(here.run.lineage);
  expect(run.epochs.map(({ loss }) => loss.toFixed(4))).toEqual(
    here.run.epochs.map(({ loss }) => loss.toFixed(4)),
  );
  expect(model).toBe(join(node.folder, 'there.onnx'));
  const version = await createClient({ url: node.url }).getVersion({ name: 'risk', version: '1' });
  expect(version.digest).toBe(run.result!.digest);
  const known = await createClient({ url: node.url }).getRun({ id: run.id });
  expect(known).toMatchObject({ status: 'finished', versions: [{ model: 'risk' }] });
}, 120_000);

it.each([1, 0])(
  'resumes from the last checkpoint when rank %i is killed',
  async (rank) => {
    const name = `killed-${rank}`;
    const training = startCli(
      [...WORK, ...GANG, '--lr', '0.003', '--epochs', '150', '--name', name, '--json'],
      { cwd: node.folder },
    );
    // The run is copied while training continues, so the copy may be some epochs behind the output.
    await training.saw(/epoch [2-9][0-9] of 150/);
    expect(await killRank(rank)).toBe(1);
    const { code, stdout, stderr } = await training.ended;
    if (code !== 0) throw new Error(`ended with ${code}: ${stderr}${stdout}`);
    // The other rank notices, and may end first.
    expect(stderr).toMatch(/Rank [01] is \w+: (signal|exit-code)/);
    const { run } = JSON.parse(stdout) as Trained;
    expect(run).toMatchObject({ status: 'finished', steps: { done: 150 * 15 } });
    expect(run.epochs).toHaveLength(150);
    expect(accuracyOf(run)).toBeGreaterThan(0.93);

    const ranks = (await jobsOf()).filter(({ name: job }) => job.includes(name));
    expect(ranks.map(({ attempts }) => attempts.length)).toEqual([2, 2]);
    const leader = ranks.find(({ gang }) => gang?.rank === 0)!;
    const { text } = await createClient({ url: node.url }).readJobLog({
      id: leader.id,
      attempt: 2,
    });
    const after = Number(/Going on with run \S+ after step (\d+)\./.exec(text)![1]);
    expect(after).toBeGreaterThanOrEqual(9 * 15);
    expect(after).toBeLessThan(150 * 15);
  },
  120_000,
);

it('takes a configuration along, and resolves its packages from Skein', async () => {
  await writeFile(
    join(node.folder, 'train.config.ts'),
    `import { mlp } from '@skein/onnx';
     import { adamW, defineTraining } from '@skein/train';
     export const training = defineTraining({
       model: ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, 8, outputs], seed }),
       data: 'wdbc.csv', label: 'diagnosis', optimiser: adamW({ weightDecay: 0.1 }),
       rate: 0.01, epochs: 3, name: 'configured',
     });`,
  );
  const { run } = await node.json<Trained>('train', '--config', 'train.config.ts', ...GANG);
  expect(run).toMatchObject({ name: 'configured', plan: { rate: 0.01 } });
  expect(run.plan['optimiser']).toMatch(/^adamw /);
  expect(run.epochs).toHaveLength(3);
}, 120_000);

it('is refused before there is a job when it cannot be trained, or is two things', async () => {
  const before = (await jobsOf()).length;
  const refused = async (...words: string[]) =>
    JSON.parse((await node.run(...WORK, ...GANG, ...words, '--json')).stdout) as ErrorBody;
  expect(await refused('--label', 'nothing')).toMatchObject({ code: 'TRAINING_DATA_INVALID' });
  expect(await refused('--compress', '9-bit')).toMatchObject({ code: 'USAGE' });
  expect(await refused('--workers', '2')).toMatchObject({
    error: expect.stringContaining('it takes none of --resume, --retried and --workers'),
  });
  expect(await jobsOf()).toHaveLength(before);
});

it('reports why a rank has failed for good', async () => {
  const diverging = ['--optimizer', 'sgd', '--lr', '100000', '--task', 'regression'];
  await writeFile(
    join(node.folder, 'numbers.csv'),
    `a,b\n${Array.from({ length: 64 }, (_, i) => `${i},${i * 3}`).join('\n')}\n`,
  );
  const { stdout, code } = await node.run(
    'train',
    '--model',
    'mlp:4',
    '--data',
    'numbers.csv',
    '--label',
    'b',
    ...diverging,
    ...GANG,
    '--json',
  );
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    code: 'TRAINING_RANK_LOST',
    error: expect.stringMatching(
      /Rank 0, job [\da-f-]{36}, has failed for good: .*The loss is (NaN|Infinity)/s,
    ),
    fix: expect.stringContaining('`skein jobs revive JOB`'),
  });
  await rm(join(node.folder, 'numbers.csv'));
}, 120_000);
