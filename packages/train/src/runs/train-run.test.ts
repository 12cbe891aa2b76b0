/** Runs that a program starts and resumes, without the command. */
import { copyFile, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run } from '@skein/api';
import { readRuns } from '@skein/state/runs';
import { mlp } from '@skein/onnx';
import { beforeAll, expect, it, vi } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { adamW } from '../optimisers/adam.ts';
import { npy } from '../testing/npy.ts';
import type { Training } from '../task/define-training.ts';
import type { Preparation } from './prepare.ts';
import { shuffleFor } from './shuffle.ts';
import { resumeRun, trainRun, type RunOptions } from './train-run.ts';

const folder = testFolder();
beforeAll(() =>
  copyFile(
    join(import.meta.dirname, '../../../../examples/wdbc/wdbc.csv'),
    join(folder, 'rows.csv'),
  ),
);

const training: Training = {
  model: 'mlp:8',
  data: join(folder, 'rows.csv'),
  label: 'diagnosis',
  epochs: 6,
};

/** Trains for two epochs. */
async function interrupted(what: Training, more: Partial<RunOptions> = {}) {
  const stop = new AbortController();
  const { run, model } = await trainRun(what, {
    folder,
    ...more,
    signal: stop.signal,
    onEpoch: ({ epoch }) => epoch === 2 && stop.abort(),
  });
  expect([run.status, model]).toEqual(['interrupted', undefined]);
  return run.id;
}

it('ends with the same bits when it was interrupted and resumed on more threads', async () => {
  const records: Run[] = [];
  const notes: string[] = [];
  const whole = await trainRun(training, {
    folder,
    onRecord: async (run) => void records.push(run),
  });
  expect(whole.run).toMatchObject({ status: 'finished', name: 'mlp', epochs: { length: 6 } });
  expect(records.at(-1)).toEqual(whole.run);
  expect(await readFile(join(whole.path, 'model.onnx'))).toEqual(Buffer.from(whole.model!));
  const id = await interrupted(training);
  const alone = await resumeRun(id, { folder });
  expect(alone.run.result!.digest).toBe(whole.run.result!.digest);
  const shared = await resumeRun(await interrupted(training), {
    folder,
    workers: 2,
    onNote: (text) => void notes.push(text),
  });
  expect(shared.run).toMatchObject({ status: 'finished', plan: { workers: 2 } });
  expect(notes).toEqual(['Training on 2 workers, threads of this process.']);
  expect((await readRuns(folder)).map(({ status }) => status)).toEqual(Array(3).fill('finished'));
});

it('visits rows block by block, and ends with the same bits when it is resumed', async () => {
  const stored: Training = { ...training, memory: 1 };
  const notes: string[] = [];
  const work: Preparation[] = [];
  const bounded = vi.spyOn(process, 'constrainedMemory').mockReturnValue(64 * 1024);
  const begun = async () => {
    const whole = await trainRun(stored, {
      folder,
      onNote: (text) => void notes.push(text),
      onPreparation: (each) => void work.push(each),
    });
    return [whole, await interrupted(stored), await interrupted(stored)] as const;
  };
  const [whole, first, second] = await begun().finally(() => bounded.mockRestore());
  expect(whole.run).toMatchObject({ status: 'finished', plan: { shuffle: 'blocks' } });
  expect(notes.at(-1)).toMatch(
    /^The rows take 71.1 KiB, and the memory is 64.0 KiB: they are shuf/,
  );
  expect(new Set(work.map(({ doing }) => doing))).toEqual(
    new Set(['scaling', 'encoding', 'shuffling']),
  );
  // With more memory a run keeps its order.
  const alone = await resumeRun(first, { folder });
  expect(alone.run.result!.digest).toBe(whole.run.result!.digest);
  const { run } = await resumeRun(second, { folder, workers: 2 });
  expect(run).toMatchObject({ status: 'finished', plan: { shuffle: 'blocks', workers: 2 } });
  const changed = resumeRun(second, { folder, training: { ...stored, shuffle: 'rows' } });
  await expect(changed).rejects.toMatchObject({ code: 'RUN_CHANGED' });
  const inAnyOrder = await trainRun(training, { folder });
  const lossOf = ({ epochs }: Run) => epochs.at(-1)!.loss;
  expect(lossOf(whole.run) / lossOf(inAnyOrder.run)).toBeCloseTo(1, 1);
  expect(inAnyOrder.run.plan['shuffle']).toBeUndefined();
  const given = await trainRun({ ...training, shuffle: 'blocks' }, { folder });
  expect(given.run.result!.digest).toBe(whole.run.result!.digest);
});

it.each([
  [1_000_000, 100, 264 * 2 ** 20, 'rows'],
  [1_000_000, 100, 251 * 2 ** 20, 'blocks'],
])('visits %d rows of %d bytes with a memory of %d bytes by %s', (rows, bytes, memory, wanted) => {
  expect(shuffleFor(rows, bytes, memory)).toBe(wanted);
});

it('takes a network, an optimiser and a pattern of the program, and needs them again', async () => {
  const own: Training = {
    ...training,
    model: ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, 4, outputs], seed }),
    optimiser: adamW({ weightDecay: 0.1 }),
    freeze: /^LAYER0/i,
  };
  const id = await interrupted(own);
  await expect(resumeRun(id, { folder })).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('with its own optimiser and freeze'),
  });
  for (const other of [{ rate: 0.5 }, { optimiser: adamW({ weightDecay: 0.2 }) }]) {
    const resumed = resumeRun(id, { folder, training: { ...own, ...other } });
    await expect(resumed).rejects.toMatchObject({ code: 'RUN_CHANGED' });
  }
  const { run } = await resumeRun(id, { folder, training: own });
  expect(run).toMatchObject({
    status: 'finished',
    plan: { optimiser: expect.stringMatching(/^adamw .*"weightDecay":0.1}$/), model: 'a function' },
  });
  // A network alone is in the run's folder.
  const network = await interrupted({ ...training, model: own.model });
  expect((await resumeRun(network, { folder })).run.status).toBe('finished');
});

it('resumes the newest run of the folder when the program is retried', async () => {
  const retried = join(folder, 'retried');
  const id = await interrupted(training, { folder: retried });
  const notes: string[] = [];
  const sizes: number[] = [];
  const { run, path } = await trainRun(training, {
    folder: retried,
    retried: true,
    onNote: (text) => void notes.push(text),
    onCheckpoint: (sizeBytes) => void sizes.push(sizeBytes),
  });
  expect(run).toMatchObject({ id, status: 'finished' });
  // One after each epoch that was left.
  expect(sizes).toHaveLength(4);
  expect(sizes[3]).toBe((await stat(join(path, 'checkpoint.safetensors'))).size);
  expect(notes).toEqual([`Going on with run ${id} after step ${run.steps.planned / 3}.`]);
});

it.skipIf(process.platform !== 'linux')('leaves no file of rows open', async () => {
  const open = async () => (await readdir('/proc/self/fd')).length;
  const stored = { ...training, epochs: 1, memory: 1 };
  await trainRun(stored, { folder });
  const before = await open();
  await trainRun(stored, { folder });
  await expect(trainRun({ ...stored, label: 'none' }, { folder })).rejects.toMatchObject({
    code: 'TRAINING_DATA_INVALID',
  });
  expect(await open()).toBe(before);
});

it('names the setting that is missing, and the file that cannot be read', async () => {
  const { label: _, ...unlabelled } = training;
  await expect(trainRun(unlabelled, { folder })).rejects.toMatchObject({
    code: 'USAGE',
    message: '`label` names the column to predict.',
  });
  await expect(trainRun({ ...training, data: 'none.csv' }, { folder })).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
  });
});

it.each<[string, Partial<Training>]>([
  ['`epochs` must be a whole number from 1 to 1000000, not NaN.', { epochs: Number.NaN }],
  ['`batch` must be a whole number from 1 to 1000000, not 0.', { batch: 0 }],
  ['`workers` must be a whole number from 1 to 256, not 1.5.', { workers: 1.5 }],
  [
    '`task` must be one of classification, binary, regression, not "ranking".',
    { task: 'ranking' as 'binary' },
  ],
  ['`scaling` must be one of standard, unit, none, not "minmax".', { scaling: 'minmax' as 'unit' }],
  [
    '`schedule` must be one of constant, cosine, step, not "linear".',
    { schedule: 'linear' as 'step' },
  ],
  [
    expect.stringMatching(
      /^There is no setting `epoch`; there are model, data, .*epochs/,
    ) as string,
    { epoch: 50 } as Partial<Training>,
  ],
])('refuses a setting of a program that is none: %s', async (message, change) => {
  const refused = trainRun({ ...training, ...change }, { folder });
  await expect(refused).rejects.toMatchObject({ code: 'USAGE', message });
});

it('refuses to train without settings or a folder', async () => {
  const calls = [
    () => trainRun(undefined as unknown as Training, { folder }),
    () => trainRun(training, undefined as unknown as { folder: string }),
    () => trainRun(training, { folde: folder } as unknown as { folder: string }),
    () => resumeRun('last', undefined as unknown as { folder: string }),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'USAGE' });
});

it('refuses settings of an optimiser along with one that the training makes itself', async () => {
  const own: Training = { ...training, optimiser: adamW(), weightDecay: 0.1 };
  await expect(trainRun(own, { folder })).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringMatching(
      /^`weightDecay` is for an optimiser .* its own, adamw: set it there/,
    ),
  });
});

it.each([
  ['in memory', undefined],
  ['in a file', 16],
])('names the place of a number that no training can take, of rows %s', async (_, memory) => {
  const labels = join(folder, 'y.npy');
  await writeFile(labels, npy([4], [0, 1, 0, 1]));
  for (const [shape, value, place] of [
    [[4, 3], NaN, "Row 2 of 'features' holds NaN in column 1."],
    [[4, 3], -Infinity, "Row 2 of 'features' holds -Infinity in column 1."],
    [[4, 1, 3], NaN, "Row 2 of 'features' holds NaN at [0, 1]."],
  ] as const) {
    const data = join(folder, 'x.npy');
    await writeFile(
      data,
      npy(
        shape,
        Array.from({ length: 12 }, (_each, i) => (i === 7 ? value : i)),
      ),
    );
    const given: Training = { model: 'mlp:2', data, labels, validation: 0 };
    await expect(
      trainRun({ ...given, ...(memory === undefined ? {} : { memory }) }, { folder }),
    ).rejects.toMatchObject({ code: 'TRAINING_DATA_INVALID', message: place });
  }
});

it('warns once of columns that lose digits in float32 which distinguish their rows', async () => {
  const rows = Array.from({ length: 20 }, (_, i) => `${1_767_268_800_000 + i * 60_000},${i % 2}`);
  const data = join(folder, 'times.csv');
  await writeFile(data, ['at,y', ...rows, ''].join('\n'));
  const notes: string[] = [];
  const onNote = (text: string) => void notes.push(text);
  const id = await interrupted({ model: 'mlp', data, label: 'y', task: 'binary' }, { onNote });
  await resumeRun(id, { folder, onNote });
  expect(notes).toEqual([
    'Columns: numbers at.',
    expect.stringMatching(/^'at' is rounded by up to \d+ in float32.* such as 1767268800000, here/),
  ]);
});
