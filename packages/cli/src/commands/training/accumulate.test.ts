/** Steps of several runs on the command line give the result of one run over all of their rows. */
import type { Run } from '@skein/api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCli } from '../../testing/cli.ts';
import { trainingFolder, type Trained } from '../../train/testing/training-folder.ts';

const { folder, fill, json, failure, remove } = trainingFolder();
beforeAll(fill);
afterAll(remove);

// 455 rows: the last step of an epoch has 7, which is one run that is full of padding and three of nothing.
const WORK = ['train', '--model', 'mlp:16', '--data', 'wdbc.csv', '--label', 'diagnosis'];
const PLAN = [...WORK, '--lr', '0.01', '--epochs', '6'];
const FOUR = ['--batch', '8', '--accumulate', '4'];
const lossesOf = ({ epochs }: Run) => epochs.map(({ loss }) => loss);

function expectClose(found: Run, wanted: Run): void {
  expect(found.steps).toEqual(wanted.steps);
  const losses = lossesOf(wanted);
  lossesOf(found).forEach((loss, i) => expect(Math.abs(loss - losses[i]!)).toBeLessThan(1e-5));
}

it.each([
  ['one worker', []],
  ['two workers', ['--workers', '2']],
  ['a clipped norm', ['--clip-norm', '0.1']],
  ['clipped values', ['--clip-value', '0.01']],
])('find what one run of all rows finds, with %s', async (_, also) => {
  const whole = (await json<Trained>(...PLAN, '--batch', '32', ...also)).run;
  const { run } = await json<Trained>(...PLAN, ...FOUR, ...also);
  expect(run.plan).toMatchObject({ batch: 8, accumulate: 4 });
  expectClose(run, whole);
});

it('clips by the bound that is given, and by one only', async () => {
  const plain = (await json<Trained>(...PLAN)).run;
  const clipped = (await json<Trained>(...PLAN, '--optimizer', 'sgd', '--clip-value', '0.001')).run;
  expect(clipped.plan).toMatchObject({ clipValue: 0.001 });
  // Six epochs of 15 steps by at most 0.01 · 0.001 change very little.
  expect(lossesOf(clipped)[5]).toBeGreaterThan(lossesOf(clipped)[0]! * 0.95);
  expect(lossesOf(plain)[5]).toBeLessThan(lossesOf(plain)[0]! / 2);
  expect(await failure(...PLAN, '--clip-value', '1', '--clip-norm', '1')).toMatchObject({
    code: 'USAGE',
    error: 'Gradients are clipped by --clip-norm or by --clip-value, not by both.',
  });
});

it('resume from a checkpoint to the same bits', async () => {
  const long = [...WORK, ...FOUR, '--lr', '0.003', '--epochs', '100', '--checkpoint-every', '7'];
  const whole = await json<Trained>(...long);
  const cut = startCli([...long, '--name', 'cut'], { cwd: folder });
  await cut.saw(/^ +9 /m);
  cut.process.kill('SIGKILL');
  await cut.ended;
  const { run } = await json<Trained>('train', '--resume', 'cut');
  expect(run.result?.digest).toBe(whole.run.result?.digest);
}, 60_000);
