/** Several workers share a training, as a user starts them: threads of one process, and processes. */
import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run } from '@skein/api';
import type { ErrorBody } from '@skein/api/errors';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { freePort } from '../../../../jobs/src/worker/free-port.ts';
import { runCli, startCli, type CliProcess } from '../../testing/cli.ts';

const WDBC = join(import.meta.dirname, '../../../../../examples/wdbc/wdbc.csv');
const folder = testFolder();
beforeAll(() => copyFile(WDBC, join(folder, 'wdbc.csv')));

interface Trained {
  readonly run: Run;
}

const WORK = ['train', '--model', 'mlp:16', '--data', 'wdbc.csv', '--label', 'diagnosis'];
const SHORT = [...WORK, '--lr', '0.01', '--epochs', '8'];
/** Long enough to be interrupted, with a checkpoint every few steps. */
const LONG = [...WORK, '--lr', '0.003', '--epochs', '100', '--checkpoint-every', '5'];

async function trained(words: readonly string[]): Promise<Run> {
  const { code, stdout, stderr } = await runCli([...words, '--json'], { cwd: folder });
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}: ${stderr}${stdout}`);
  return (JSON.parse(stdout) as Trained).run;
}

function outcome({ code, stdout, stderr }: Awaited<CliProcess['ended']>): Run {
  if (code !== 0) throw new Error(`ended with ${code}: ${stderr}${stdout}`);
  return (JSON.parse(stdout) as Trained).run;
}

const accuracyOf = ({ result }: Run) =>
  result?.report?.kind === 'classification' ? result.report.accuracy : 0;
const lossesOf = ({ epochs }: Run) => epochs.map(({ loss }) => loss);

function expectClose(found: Run, wanted: Run, tolerance: number): void {
  expect(found.epochs).toHaveLength(wanted.epochs.length);
  const losses = lossesOf(wanted);
  lossesOf(found).forEach((loss, i) =>
    expect(Math.abs(loss - losses[i]!), `epoch ${i + 1}`).toBeLessThan(tolerance),
  );
}

const runsKept = () => readdir(join(folder, '.skein/runs')).catch(() => [] as string[]);

describe('threads of one process', () => {
  let one: Run;
  beforeAll(async () => {
    one = await trained([...SHORT, '--name', 'one']);
  });

  it('find what one worker finds, but for rounding', async () => {
    const two = await trained([...SHORT, '--name', 'two', '--workers', '2']);
    expect(two.plan).toMatchObject({ workers: 2 });
    expectClose(two, one, 1e-5);
    expect(accuracyOf(two)).toBeCloseTo(accuracyOf(one), 2);
  });

  it.each([
    ['--local-steps', '4', { localSteps: 4 }],
    ['--compress', '8-bit', { compress: '8-bit' }],
    ['--compress', 'top-k:0.1', { compress: 'top-k:0.1' }],
  ])('learn with %s %s', async (flag, value, plan) => {
    const run = await trained([...SHORT, '--workers', '2', flag, value]);
    expect(run.plan).toMatchObject(plan);
    expect(accuracyOf(run)).toBeGreaterThan(0.9);
    // It is a different algorithm, not the same under another name.
    expect(Math.abs(lossesOf(run).at(-1)! - lossesOf(one).at(-1)!)).toBeGreaterThan(1e-6);
  });

  it.each([
    [['--local-steps', '4'], /--local-steps is about what workers exchange, .*give --workers N/],
    [['--compress', '8-bit'], /--compress is about what workers exchange/],
    [['--compress', '9-bit', '--workers', '2'], /"9-bit" is neither 8-bit nor top-k/],
    [['--compress', 'top-k:1.5', '--workers', '2'], /"top-k:1.5" is neither/],
    [['--bucket', '1MiB', '--workers', '2'], /--bucket is about .* members of a gang/],
    [
      ['--bucket', '1MiB', '--compress', '8-bit', '--workers', '2'],
      /with --compress they go at once/,
    ],
  ])('%s is refused before anything is written', async (words, message) => {
    const before = await runsKept();
    const { code, stdout } = await runCli([...SHORT, ...words, '--json'], { cwd: folder });
    expect(code).toBe(2);
    expect(JSON.parse(stdout) as ErrorBody).toMatchObject({
      code: 'USAGE',
      error: expect.stringMatching(message),
    });
    expect(await runsKept()).toEqual(before);
  });

  it('resume what another number of them began', async () => {
    const whole = await trained([...LONG, '--name', 'whole']);
    const cut = startCli([...LONG, '--name', 'cut', '--workers', '2'], { cwd: folder });
    await cut.saw(/^ +9 /m);
    cut.process.kill('SIGKILL');
    await cut.ended;
    const resumed = await trained(['train', '--resume', 'cut', '--workers', '1']);
    expect(resumed).toMatchObject({ status: 'finished', plan: { workers: 1 } });
    expectClose(resumed, whole, 1e-3);
  }, 60_000);
});

const SECRET = 'a secret that only the members know';

async function openGang(
  size = 2,
): Promise<(rank: number, words: readonly string[], secret?: string) => CliProcess> {
  const port = await freePort('127.0.0.1');
  return (rank, words, secret = SECRET) =>
    startCli([...words, '--json'], {
      cwd: folder,
      env: {
        MASTER_ADDR: '127.0.0.1',
        MASTER_PORT: String(port),
        WORLD_SIZE: String(size),
        RANK: String(rank),
        SKEIN_GROUP_SECRET: secret,
      },
    });
}

describe('processes of a gang', () => {
  let whole: Run;
  beforeAll(async () => {
    whole = await trained([...LONG, '--name', 'alone']);
  });

  it.each([
    ['find what one process finds, and end together', []],
    ['send gradients while they compute, and get the same result', ['--bucket', '1KiB']],
  ])('%s', async (_, flags) => {
    const start = await openGang();
    const ranks = [0, 1].map((rank) => start(rank, [...LONG, '--name', 'gang', ...flags]));
    const [leader, follower] = await Promise.all(ranks.map(({ ended }) => ended));
    expectClose(outcome(leader!), whole, 1e-3);
    expect(JSON.parse(follower!.stdout)).toMatchObject({ rank: 1, size: 2 });
  });

  it('continue without one that was killed', async () => {
    const start = await openGang();
    const [leader, follower] = [0, 1].map((rank) => start(rank, [...LONG, '--name', 'bereft']));
    await leader!.saw(/^ +9 /m);
    follower!.process.kill('SIGKILL');
    const run = outcome(await leader!.ended);
    expect(leader!.output.stderr).toMatch(/Rank 1 .*Going on from the last checkpoint/);
    expect(leader!.output.stderr).toContain('Training on 1 of 2 workers.');
    expect(run).toMatchObject({ status: 'finished', steps: { done: 100 * 15 } });
    expectClose(run, whole, 1e-3);
  }, 60_000);

  it('accept a restarted rank', async () => {
    const start = await openGang();
    const [leader, follower] = [0, 1].map((rank) => start(rank, [...LONG, '--name', 'joined']));
    await leader!.saw(/^ +9 /m);
    const again = start(1, LONG);
    await again.saw(/Rank 1 calls rank 0/);
    follower!.process.kill('SIGKILL');
    const run = outcome(await leader!.ended);
    expect(leader!.output.stderr.match(/Training on 2 of 2 workers\./g)).toHaveLength(2);
    expect(await again.ended).toMatchObject({ code: 0 });
    expectClose(run, whole, 1e-3);
  }, 60_000);

  it('wait for rank 0, which is resumed', async () => {
    const start = await openGang();
    const [leader, follower] = [0, 1].map((rank) => start(rank, [...LONG, '--name', 'headless']));
    await leader!.saw(/^ +9 /m);
    leader!.process.kill('SIGKILL');
    await leader!.ended;
    const resumed = start(0, ['train', '--resume', 'headless']);
    const run = outcome(await resumed.ended);
    expect(resumed.output.stderr).toContain('Training on 2 of 2 workers.');
    // Nothing is learnt again from the start.
    expect(resumed.output.stderr).not.toMatch(/^ +[1-8] /m);
    expect(await follower!.ended).toMatchObject({ code: 0 });
    expectClose(run, whole, 1e-3);
  }, 60_000);

  it('begin anew with rank 0 resumed and rank 1 started with its flags', async () => {
    const start = await openGang();
    const [leader, follower] = [0, 1].map((rank) => start(rank, [...LONG, '--name', 'both']));
    await leader!.saw(/^ +9 /m);
    for (const each of [leader!, follower!]) each.process.kill('SIGKILL');
    await Promise.all([leader!.ended, follower!.ended]);
    const [resumed, joined] = [start(0, ['train', '--resume', 'both']), start(1, LONG)];
    expectClose(outcome(await resumed.ended), whole, 1e-3);
    expect(resumed.output.stderr).toContain('Training on 2 of 2 workers.');
    expect(await joined.ended).toMatchObject({ code: 0 });
  }, 60_000);

  it('name the rank that does not arrive', async () => {
    const start = await openGang(3);
    const { stdout, code } = await start(0, [...LONG, '--arrival', '300ms']).ended;
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      code: 'TRAINING_RANK_LOST',
      error: 'Rank 1 has not arrived, nor have ranks 2.',
    });
  });

  it('refuse a rank with another secret or another plan', async () => {
    const arrival = ['--arrival', '4s'];
    const start = await openGang();
    const stranger = start(1, [...LONG, ...arrival], 'another secret than the members have');
    const { stdout } = await start(0, [...LONG, ...arrival]).ended;
    expect(JSON.parse(stdout)).toMatchObject({ error: 'Rank 1 has not arrived.' });
    expect(JSON.parse((await stranger.ended).stdout)).toMatchObject({
      code: 'TRAINING_RANK_LOST',
      error: expect.stringContaining('Rank 0 cannot be reached'),
    });
    const startOther = await openGang();
    const other = startOther(1, [...LONG, ...arrival, '--seed', '7']);
    const asked = JSON.parse(
      (await startOther(0, [...LONG, ...arrival]).ended).stdout,
    ) as ErrorBody;
    expect(asked.error).toBe('Rank 1 has not arrived: rank 1 trains something else.');
    expect((await other.ended).code).toBe(1);
  }, 60_000);
});
