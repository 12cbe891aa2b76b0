/** Trainings that `skein train` refuses, and those that it stops. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunSummary } from '@skein/api';
import { readTensors } from '@skein/train';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { points, trainingFolder, type Trained } from '../../train/testing/training-folder.ts';

const { folder, fill, cli, json, failure, remove } = trainingFolder();
beforeAll(fill);
afterAll(remove);

describe('what cannot be trained is refused before the first step', () => {
  const command = ['train', '--model', 'mlp:4', '--data', 'bad.csv', '--label', 'side'];
  const bad = (change: (row: string[], i: number) => string[]) =>
    writeFile(join(folder, 'bad.csv'), points(60, 3, change));

  it('missing values, unless they are dropped or filled in', async () => {
    await bad((row, i) => (i % 10 === 4 ? [row[0]!, '', ...row.slice(2)] : row));
    expect(await failure(...command)).toMatchObject({
      code: 'TRAINING_DATA_INVALID',
      error: expect.stringMatching(
        /^bad\.csv: Line 6: 'b' is missing\. --missing drop leaves such rows out; --missing mean /,
      ),
    });
    const dropped = await json<Trained>(...command, '--missing', 'drop', '--epochs', '1');
    expect(dropped.run.lineage.data[0]!.rows).toBe(54);
    const filled = await json<Trained>(...command, '--missing', 'mean', '--epochs', '1');
    expect(filled.run.lineage.data[0]!.rows).toBe(60);
    expect(await json<object>('runs', 'ls')).toBeDefined();
    await bad((row, i) => (i % 10 === 4 ? [...row.slice(0, 4), ''] : row));
    expect((await failure(...command, '--missing', 'mean')).error).toBe(
      "bad.csv: 6 rows have no 'side' to learn from: --missing drop leaves them out.",
    );
    await bad((row, i) => (i % 10 === 4 ? [...row.slice(0, 4), 'none'] : row));
    expect((await failure(...command, '--missing', 'mean')).error).toBe(
      "bad.csv: 6 rows have no 'side' to learn from (line 6 has 'none', which counts as missing): --missing drop leaves them out.",
    );
  });

  it.each<[string, (row: string[], i: number) => string[], string]>([
    ['a ragged row', (row, i) => (i === 7 ? row.slice(1) : row), 'Line 9 has 4 fields'],
    ['one class only', (row) => [...row.slice(0, 4), 'left'], "All labels are 'left'"],
    [
      'a text among numbers',
      (row, i) => (i === 9 ? ['x', ...row.slice(1)] : row),
      "Line 11: 'a' is 'x'",
    ],
  ])('%s', async (_, change, message) => {
    await bad(change);
    expect(await failure(...command)).toMatchObject({
      code: 'TRAINING_DATA_INVALID',
      error: expect.stringContaining(message),
    });
  });

  it('columns with another text in every row, when no other is left', async () => {
    await bad((row, i) => [`patient ${i}`, ...row.slice(1)]);
    const { stderr } = await cli(...command, '--epochs', '1');
    expect(stderr).toContain('Columns: numbers b, sum; texts colour (3).');
    expect(stderr).toMatch(/'a' is left out: it is an identifier: 60 different texts in 60 rows/);
    expect(stderr).toContain('Name it in --features to use it all the same.');
    const alone = points(60, 3, (row, i) => [`patient ${i}`, row[4]!]);
    await writeFile(join(folder, 'bad.csv'), alone.replace('a,b,colour,sum,side', 'a,side'));
    expect(await failure(...command)).toMatchObject({
      code: 'TRAINING_DATA_INVALID',
      error: expect.stringMatching(/no column to predict from. 'a' is left out/),
    });
    const named = [...command, '--features', 'a', '--epochs', '150', '--lr', '0.1'];
    const warned = await cli(...named);
    expect(warned.stderr).toMatch(/learns rows by heart.* or --early-stopping\./);
  });

  it('a table without rows, a column or file that is not there, options that do not fit', async () => {
    await writeFile(join(folder, 'bad.csv'), 'a,side\n');
    expect((await failure(...command)).error).toBe('bad.csv: The table has no rows.');
    const given = ['train', '--model', 'mlp', '--data', 'points.csv'];
    expect((await failure(...given, '--label', 'colr')).error).toMatch(
      /no column 'colr', only 'a'/,
    );
    expect(await failure(...given)).toMatchObject({
      code: 'USAGE',
      error: '--label names the column to predict.',
      exit: 2,
    });
    expect((await failure('train', '--model', 'mlp', '--data', 'none.csv')).code).toBe(
      'FILE_UNREADABLE',
    );
    const label = [...given, '--label', 'side'];
    for (const [extra, code, message] of [
      [['--loss', 'mean-squared'], 'TRAINING_MODEL_UNFIT', /does not fit the task/],
      [['--task', 'regression'], 'TRAINING_DATA_INVALID', /predicts numbers/],
      [['--freeze', 'nothing'], 'TRAINING_MODEL_UNFIT', /No parameter matches .*layer0.weight/],
      [
        ['--momentum', '0.9'],
        'USAGE',
        /^--momentum is for sgd and rmsprop, and the --optimizer is adam/,
      ],
      [['--optimizer', 'lion', '--momentum', '0.9'], 'USAGE', /is lion, which has none/],
      [
        ['--early-stopping', '2', '--validation', '0'],
        'USAGE',
        /^--early-stopping compares the results on validation rows, and there are none/,
      ],
      [['--freeze', '('], 'USAGE', /not a regular expression/],
      [['--deploy', 'x', '--server', 'http://127.0.0.1:9'], 'NODE_UNREACHABLE', /./],
      [['--features', 'a,side'], 'TRAINING_DATA_INVALID', /'side' is to be predicted/],
      [
        ['--out', 'none/x.onnx'],
        'FILE_UNREADABLE',
        /"none\/x.onnx" cannot be written: there is no/,
      ],
      [['--out', '.'], 'FILE_UNREADABLE', /"." cannot be written: it is a folder/],
    ] as const) {
      const found = await failure(...label, ...extra);
      expect(found).toMatchObject({ code, error: expect.stringMatching(message) });
    }
    for (const model of ['mlp:99999999', 'mlp:30000000,30000000']) {
      expect(await failure('train', '--model', model, ...label.slice(3))).toMatchObject({
        code: 'USAGE',
        error: expect.stringMatching(/^--model: "mlp:.* parameters on these data.*smaller layers/),
      });
    }
    const images = ['train', '--model', 'cnn:4', '--data', '.', '--image-size'];
    for (const size of ['0x8', '8x99999x3']) {
      expect(await failure(...images, size)).toMatchObject({
        code: 'USAGE',
        error: expect.stringMatching(/^--image-size: .* is not a size from 1 to 8192 on each side/),
      });
    }
  });

  it('options that would change nothing', async () => {
    await writeFile(join(folder, 'rows.npy'), 'never read');
    const table = ['--model', 'mlp', '--data', 'points.csv', '--label', 'side'];
    const array = ['--model', 'mlp', '--data', 'rows.npy', '--labels', 'labels.npy'];
    const images = ['--model', 'cnn:4', '--data', '.'];
    for (const [given, extra, message] of [
      [array, ['--features', 'a,b'], /^--features is for columns .* "rows.npy" is an .npy file/],
      [array, ['--missing', 'mean'], /^--missing is for missing values of a table/],
      [array, ['--label', 'side'], /^--label is for a column of a table, or an array of/],
      [array, ['--image-size', '8x8'], /^--image-size is for a folder of images/],
      [table, ['--image-size', '8x8'], /^--image-size is for .* "points.csv" is a table/],
      [table, ['--labels', 'labels.npy'], /^--labels is for labels of an .npy or IDX file/],
      [table, ['--validation-labels', 'x.npy'], /^--validation-labels goes with a file of/],
      [images, ['--missing', 'drop'], /^--missing .* "." is a folder of images/],
      [table, ['--arrival', '1m'], /^--arrival is how long a rank waits/],
      [table, ['--validation', '0.1', '--validation-data', 'points.csv'], /give one of them/],
      [['model.onnx', ...table], [], /^Training begins with the file model.onnx, or with --model/],
    ] as const) {
      const found = await failure('train', ...given, ...extra);
      expect(found).toMatchObject({ code: 'USAGE', error: expect.stringMatching(message) });
    }
  });

  it('settings of what a model that was trained before keeps', async () => {
    const table = ['--data', 'points.csv', '--label', 'side', '--epochs', '1'];
    await json<Trained>('train', '--model', 'mlp', ...table, '--out', 'trained.onnx');
    const further = ['train', 'trained.onnx', ...table];
    for (const extra of [
      ['--features', 'a'],
      ['--scaling', 'none'],
      ['--task', 'binary'],
    ]) {
      expect(await failure(...further, ...extra)).toMatchObject({
        code: 'USAGE',
        error: `trained.onnx was trained before, and keeps its columns, its scaling and its task: leave ${extra[0]} out.`,
      });
    }
    await json<Trained>(...further, '--task', 'classification');
  });

  it('a loss that is not a number, with its batch kept', async () => {
    const diverging = ['--task', 'regression', '--optimizer', 'sgd', '--lr', '100000'];
    const args = ['train', '--model', 'mlp:4', '--data', 'points.csv', '--label', 'sum'];
    const found = await failure(...args, ...diverging, '--name', 'wild');
    expect(found.code).toBe('TRAINING_DIVERGED');
    const [, path] = /The batch is kept in (.*)\.$/.exec(found.error)!;
    const { tensors } = await readTensors(await readFile(path!));
    expect(tensors.get('features')!.shape).toEqual([32, 4]);
    expect(tensors.get('skein/rows')!.shape).toEqual([32]);
    const { runs } = await json<{ runs: RunSummary[] }>('runs', 'ls', '--status', 'failed');
    expect(runs.map(({ name }) => name)).toEqual(['wild']);
  });
});
