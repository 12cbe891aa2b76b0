/** Separate files of labels belong to the lineage of a run, like its rows. */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run } from '@skein/api';
import type { ErrorBody } from '@skein/api/errors';
import { seededRandom } from '@skein/onnx';
import { beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { freePort } from '../../../../jobs/src/worker/free-port.ts';
import { runCli, startCli } from '../../testing/cli.ts';
import { npy } from '../../../../train/src/testing/npy.ts';

const folder = testFolder();

const ROWS = 64;
const file = (name: string) => join(folder, name);

beforeAll(async () => {
  const random = seededRandom(3);
  const x = Array.from({ length: 2 * ROWS }, () => random.next() - 0.5);
  const labels = Array.from({ length: ROWS }, (_, row) => Number(x[2 * row]! > 0));
  await writeFile(file('x.npy'), npy([ROWS, 2], x));
  await writeFile(file('y.npy'), npy([ROWS], labels));
  await writeFile(
    file('swapped.npy'),
    npy(
      [ROWS],
      labels.map((label) => 1 - label),
    ),
  );
});

const digest = async (name: string) =>
  createHash('sha256')
    .update(await readFile(file(name)))
    .digest('hex');
const TRAIN = ['train', '--model', 'mlp:4', '--data', 'x.npy', '--labels'];
const args = (labels: string) => [...TRAIN, labels];

it('are in the lineage of a run, and a resumed run must find them again', async () => {
  await copyFile(file('y.npy'), file('labels.npy'));
  await copyFile(file('y.npy'), file('held.npy'));
  const held = ['--validation-data', 'x.npy', '--validation-labels', 'held.npy'];
  const cut = startCli([...args('labels.npy'), ...held, '--epochs', '100000', '--name', 'cut'], {
    cwd: folder,
  });
  await cut.saw(/^ +3 /m);
  cut.process.kill('SIGINT');
  await cut.ended;
  const { stdout } = await runCli(['runs', 'show', 'cut', '--json'], { cwd: folder });
  const { run } = JSON.parse(stdout) as { run: Run };
  const [rows, labels] = [await digest('x.npy'), await digest('y.npy')];
  expect(run.lineage.data).toEqual([
    { role: 'training', path: 'x.npy', digest: rows, rows: ROWS },
    { role: 'labels', path: 'labels.npy', digest: labels, rows: ROWS },
    { role: 'validation', path: 'x.npy', digest: rows, rows: ROWS },
    { role: 'validationLabels', path: 'held.npy', digest: labels, rows: ROWS },
  ]);
  for (const name of ['labels.npy', 'held.npy']) {
    await copyFile(file('swapped.npy'), file(name));
    const resumed = await runCli(['train', '--resume', 'cut', '--json'], { cwd: folder });
    expect(JSON.parse(resumed.stdout) as ErrorBody).toMatchObject({
      code: 'RUN_CHANGED',
      error: expect.stringContaining(`"${name}" has changed since the run was started`),
    });
    await copyFile(file('y.npy'), file(name));
  }
  const resumed = startCli(['train', '--resume', 'cut'], { cwd: folder });
  await resumed.saw(/^ +\d+ /m);
  resumed.process.kill('SIGINT');
  expect(await resumed.ended).toMatchObject({ code: 130 });
});

it('that are found by the name of the rows are in the lineage too', async () => {
  const idx = (shape: readonly number[], bytes: readonly number[]) => {
    const sizes = shape.flatMap((size) => [0, 0, 0, size]);
    return Uint8Array.from([0, 0, 8, shape.length, ...sizes, ...bytes]);
  };
  const pixels = Array.from({ length: 4 * ROWS }, (_, i) => (i * 37) % 256);
  await writeFile(file('t-images-idx3-ubyte'), idx([ROWS, 2, 2], pixels));
  await writeFile(
    file('t-labels-idx1-ubyte'),
    idx(
      [ROWS],
      Array.from({ length: ROWS }, (_, i) => i % 2),
    ),
  );
  const { stdout } = await runCli(
    ['train', '--model', 'mlp', '--data', 't-images-idx3-ubyte', '--epochs', '1', '--json'],
    { cwd: folder },
  );
  const { run } = JSON.parse(stdout) as { run: Run };
  expect(run.lineage.data[1]).toEqual({
    role: 'labels',
    path: 't-labels-idx1-ubyte',
    digest: await digest('t-labels-idx1-ubyte'),
    rows: ROWS,
  });
});

it('must be the same for all members of a gang, wherever they lie', async () => {
  await mkdir(file('elsewhere'), { recursive: true });
  await copyFile(file('y.npy'), file('elsewhere/y.npy'));
  const port = await freePort('127.0.0.1');
  const member = (rank: number, labels: string) =>
    startCli([...args(labels), '--epochs', '2', '--json', '--name', `rank-${rank}`], {
      cwd: folder,
      env: {
        SKEIN_GROUP_SECRET: 'a secret of the members',
        MASTER_ADDR: '127.0.0.1',
        MASTER_PORT: String(port),
        WORLD_SIZE: '2',
        RANK: String(rank),
      },
    });
  const [leader, follower] = [member(0, 'y.npy'), member(1, 'elsewhere/y.npy')];
  expect(await Promise.all([leader.ended, follower.ended])).toMatchObject([
    { code: 0 },
    { code: 0 },
  ]);
  const [other, swapped] = [member(0, 'y.npy'), member(1, 'swapped.npy')];
  const refused = await swapped.ended;
  // The leader refuses it, and waits for another.
  expect(JSON.parse(refused.stdout)).toMatchObject({ code: 'TRAINING_RANK_LOST' });
  expect(other.process.exitCode).toBeNull();
  other.process.kill('SIGKILL');
  await other.ended;
});
