/** `skein train` and `skein runs` as a person runs them: real processes, real files, no node. */
import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile, copyFile, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Run, RunSummary } from '@skein/api';
import type { ErrorBody } from '@skein/api/errors';
import { readModel, seededRandom, signatureOf } from '@skein/onnx';
import { readTensors } from '@skein/train';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli, startCli } from '../testing/cli.ts';

const WDBC = join(import.meta.dirname, '../../../../examples/wdbc/wdbc.csv');
const folder = mkdtempSync(join(tmpdir(), 'skein-train-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Trained {
  readonly run: Run;
  readonly model: string;
}

const cli = (...args: string[]) => runCli(args, { cwd: folder });

async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await cli(...args, '--json');
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
  return JSON.parse(stdout) as T;
}

async function failure(...args: string[]): Promise<ErrorBody & { exit: number | null }> {
  const { code, stdout } = await cli(...args, '--json');
  return { ...(JSON.parse(stdout) as ErrorBody), exit: code };
}

/** Two classes apart by a line, and a number that is a sum: enough to be learnt in a moment. */
function points(rows: number, seed: number, change: (row: string[], i: number) => string[]) {
  const random = seededRandom(seed);
  const lines = ['a,b,colour,sum,side'];
  for (let i = 0; i < rows; i++) {
    const [a, b] = [random.next() * 200, random.next() - 0.5];
    const colour = ['red', 'blue', 'green'][i % 3]!;
    const sum = 1000 + 3 * a + 40 * b;
    const side = a / 100 - 1 + b > 0 ? 'right' : 'left';
    lines.push(change([a.toFixed(3), b.toFixed(3), colour, sum.toFixed(3), side], i).join(','));
  }
  return `${lines.join('\n')}\n`;
}

beforeAll(async () => {
  await copyFile(WDBC, join(folder, 'wdbc.csv'));
  await writeFile(
    join(folder, 'points.csv'),
    points(200, 1, (row) => row),
  );
});

describe('a run', () => {
  let first: Trained;
  const wdbc = ['train', '--model', 'mlp:16', '--data', 'wdbc.csv', '--label', 'diagnosis'];
  const plan = ['--lr', '0.01', '--schedule', 'cosine', '--warmup', '5', '--epochs', '8'];

  it('trains, keeps its record, and writes a model that takes raw rows', async () => {
    first = await json<Trained>(...wdbc, ...plan, '--name', 'first');
    const { run, model } = first;
    expect(run).toMatchObject({ status: 'finished', task: 'classification', name: 'first' });
    expect(run.epochs).toHaveLength(8);
    expect(run.steps).toEqual({ done: 8 * 15, planned: 8 * 15 });
    expect(run.result?.report).toMatchObject({ kind: 'classification', rows: 114 });
    const { report } = run.result!;
    expect(report?.kind === 'classification' && report.accuracy).toBeGreaterThan(0.93);
    expect(run.lineage).toMatchObject({
      seed: 42,
      parent: { path: 'mlp:16' },
      data: [{ role: 'training', path: 'wdbc.csv', rows: 569 }],
    });
    expect(run.plan).toMatchObject({
      rate: 0.01,
      schedule: 'cosine',
      warmup: 5,
      label: 'diagnosis',
    });
    const trained = readModel(await readFile(model));
    const { inputs, outputs } = signatureOf(trained);
    expect(inputs).toEqual([{ name: 'features', type: 'float32', shape: ['batch', 30] }]);
    expect(outputs.map(({ name }) => name)).toEqual(['probabilities']);
  });

  it('is the same again by its seed, and another by another', async () => {
    const again = await json<Trained>(...wdbc, ...plan, '--out', 'again.onnx');
    expect(again.run.result?.digest).toBe(first.run.result?.digest);
    expect(await readFile(join(folder, 'again.onnx'))).toEqual(await readFile(first.model));
    const other = await json<Trained>(
      ...wdbc,
      ...plan,
      '--seed',
      '7',
      '--out',
      'other.onnx',
      '--name',
      'other',
    );
    expect(other.run.result?.digest).not.toBe(first.run.result?.digest);
  });

  it('is listed, shown, compared and drawn', async () => {
    const { runs } = await json<{ runs: RunSummary[] }>('runs', 'ls');
    expect(runs.map(({ name }) => name)).toEqual(['other', 'mlp', 'first']);
    const text = await cli('runs', 'show', 'first', '--svg', 'curves.svg');
    expect(text.stdout).toMatch(/malignant +\d+ +\d+/);
    expect(text.stdout).toContain('The curves are in');
    const svg = await readFile(join(folder, 'curves.svg'), 'utf8');
    expect(svg).toMatch(/^<svg .*role="img"/);
    expect(svg).toContain('val');
    const { comparison } = await json<{ comparison: { differences: { name: string }[] } }>(
      'runs',
      'compare',
      'first',
      'other',
    );
    expect(comparison.differences.map(({ name }) => name)).toEqual(['seed', 'parent digest']);
    expect(await failure('runs', 'show', 'nothing')).toMatchObject({
      code: 'RUN_UNKNOWN',
      exit: 1,
    });
  });

  it('goes on from its result, with the encoding that it has', async () => {
    const more = await json<Trained>(
      'train',
      'trained.onnx',
      '--data',
      'wdbc.csv',
      '--label',
      'diagnosis',
      '--epochs',
      '2',
      '--lr',
      '0.0001',
      '--name',
      'more',
      '--out',
      'more.onnx',
    );
    expect(more.run.lineage.parent).toEqual({
      path: 'trained.onnx',
      digest: first.run.result?.digest,
    });
    // Nothing is learnt anew: the loss goes on where it was.
    expect(more.run.epochs[0]!.loss).toBeLessThan(first.run.epochs[0]!.loss / 3);
  });

  describe('that was stopped', () => {
    const long = [...wdbc, '--epochs', '150', '--lr', '0.003', '--checkpoint-every', '11'];
    let whole: Trained;
    beforeAll(async () => {
      whole = await json<Trained>(...long, '--name', 'whole', '--out', 'whole.onnx');
    });
    const learnt = ({ run }: Trained) =>
      run.epochs.map(({ loss, metrics, learningRate }) => ({ loss, metrics, learningRate }));

    it('resumes after kill -9 to the same bits', async () => {
      const killed = startCli([...long, '--name', 'killed', '--out', 'killed.onnx'], {
        cwd: folder,
      });
      await killed.saw(/^ +12 /m);
      expect(await failure('train', '--resume', 'killed')).toMatchObject({ code: 'RUN_ACTIVE' });
      killed.process.kill('SIGKILL');
      await killed.ended;
      const { runs } = await json<{ runs: RunSummary[] }>('runs', 'ls', '--status', 'interrupted');
      expect(runs.map(({ name }) => name)).toEqual(['killed']);
      expect(runs[0]!.last!.epoch).toBeLessThan(150);
      const again = await cli('train', '--resume', 'killed', '--out', 'killed.onnx', '--json');
      // It goes on where it was, and does not start anew.
      expect(again.stderr).toMatch(/^ +150 /m);
      expect(again.stderr).not.toMatch(/^ +9 /m);
      const resumed = JSON.parse(again.stdout) as Trained;
      expect(resumed.run.status).toBe('finished');
      expect(learnt(resumed)).toEqual(learnt(whole));
      expect(resumed.run.result?.digest).toBe(whole.run.result?.digest);
      expect(await readFile(join(folder, 'killed.onnx'))).toEqual(
        await readFile(join(folder, 'whole.onnx')),
      );
    });

    it('keeps a checkpoint on Ctrl-C, says how to go on, and does', async () => {
      const cut = startCli([...long, '--name', 'cut', '--out', 'cut.onnx'], { cwd: folder });
      await cut.saw(/^ +12 /m);
      cut.process.kill('SIGINT');
      const { code, stdout, stderr } = await cut.ended;
      expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
      const [, command] = /Stopped after step \d+ of 2250. To go on:\n +skein (.*)\n/.exec(stderr)!;
      expect(await failure(...command!.split(' '), '--epochs', '3')).toMatchObject({
        code: 'USAGE',
        exit: 2,
      });
      const resumed = await json<Trained>(...command!.split(' '), '--out', 'cut.onnx');
      expect(resumed.run.result?.digest).toBe(whole.run.result?.digest);
    });

    it('is refused when its data have changed, or its checkpoint is damaged', async () => {
      await copyFile(WDBC, join(folder, 'copy.csv'));
      const cut = startCli(
        [...long.map((word) => (word === 'wdbc.csv' ? 'copy.csv' : word)), '--name', 'torn'],
        { cwd: folder },
      );
      await cut.saw(/^ +3 /m);
      cut.process.kill('SIGKILL');
      await cut.ended;
      await appendFile(join(folder, 'copy.csv'), '\n');
      expect(await failure('train', '--resume', 'torn')).toMatchObject({
        code: 'RUN_CHANGED',
        error: expect.stringContaining('"copy.csv" has changed'),
      });
      await copyFile(WDBC, join(folder, 'copy.csv'));
      const [id] = (await readdir(join(folder, '.skein/runs'))).filter((each) => /torn/.test(each));
      const checkpoint = join(folder, '.skein/runs', id!, 'checkpoint.safetensors');
      const bytes = await readFile(checkpoint);
      await writeFile(checkpoint, bytes.subarray(0, bytes.length - 9));
      expect(await failure('train', '--resume', 'torn')).toMatchObject({
        code: 'CHECKPOINT_INVALID',
        error: 'The checkpoint is damaged or cut off.',
      });
    });
  });
});

describe('what cannot be trained is refused before the first step', () => {
  const command = ['train', '--model', 'mlp:4', '--data', 'bad.csv', '--label', 'side'];
  const bad = (change: (row: string[], i: number) => string[]) =>
    writeFile(join(folder, 'bad.csv'), points(60, 3, change));

  it('missing values, unless they are dropped or filled in', async () => {
    await bad((row, i) => (i % 10 === 4 ? [row[0]!, '', ...row.slice(2)] : row));
    expect(await failure(...command)).toMatchObject({
      code: 'TRAINING_DATA_INVALID',
      error: "bad.csv: Line 6: 'b' is missing.",
    });
    const dropped = await json<Trained>(...command, '--missing', 'drop', '--epochs', '1');
    expect(dropped.run.lineage.data[0]!.rows).toBe(54);
    const filled = await json<Trained>(...command, '--missing', 'mean', '--epochs', '1');
    expect(filled.run.lineage.data[0]!.rows).toBe(60);
    expect(await json<object>('runs', 'ls')).toBeDefined();
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

  it('a table without rows, a column or file that is not there, options that do not fit', async () => {
    await writeFile(join(folder, 'bad.csv'), 'a,side\n');
    expect((await failure(...command)).error).toBe('bad.csv: The table has no rows.');
    const given = ['train', '--model', 'mlp', '--data', 'points.csv'];
    expect((await failure(...given, '--label', 'colr')).error).toMatch(
      /no column 'colr', only 'a'/,
    );
    expect(await failure(...given)).toMatchObject({ code: 'USAGE', exit: 2 });
    expect((await failure('train', '--model', 'mlp', '--data', 'none.csv')).code).toBe(
      'FILE_UNREADABLE',
    );
    const label = [...given, '--label', 'side'];
    for (const [extra, code, message] of [
      [['--loss', 'mean-squared'], 'TRAINING_MODEL_UNFIT', /does not fit the task/],
      [['--task', 'regression'], 'TRAINING_DATA_INVALID', /predicts numbers/],
      [['--freeze', 'nothing'], 'TRAINING_MODEL_UNFIT', /No parameter matches .*layer0.weight/],
      [['--freeze', '('], 'USAGE', /no regular expression/],
      [['--deploy', 'x'], 'NODE_UNREACHABLE', /./],
    ] as const) {
      const found = await failure(...label, ...extra);
      expect(found).toMatchObject({ code, error: expect.stringMatching(message) });
    }
  });

  it('a loss that is no number, with its batch kept', async () => {
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

describe('tasks', () => {
  it('a regression in the unit of its labels', async () => {
    const { run } = await json<Trained>(
      'train',
      '--model',
      'mlp:16',
      '--data',
      'points.csv',
      '--label',
      'sum',
      '--lr',
      '0.03',
      '--features',
      'a,b',
      '--epochs',
      '40',
      '--schedule',
      'cosine',
    );
    expect(run.task).toBe('regression');
    const { report } = run.result!;
    if (report?.kind !== 'regression') throw new Error('no regression');
    // The sum has a deviation of about 170.
    expect(report.rmse).toBeLessThan(20);
    expect(report.mae).toBeLessThanOrEqual(report.rmse);
    expect(report.r2).toBeGreaterThan(0.98);
  });

  it('a binary one, with one probability', async () => {
    const { run, model } = await json<Trained>(
      'train',
      '--model',
      'mlp:8',
      '--data',
      'points.csv',
      '--label',
      'side',
      '--lr',
      '0.03',
      '--task',
      'binary',
      '--features',
      'a,b,colour',
      '--epochs',
      '20',
    );
    expect(run.result?.report).toMatchObject({ classes: ['left', 'right'] });
    const { outputs } = signatureOf(readModel(await readFile(model)));
    expect(outputs).toEqual([{ name: 'probability', type: 'float32', shape: ['batch', 1] }]);
  });

  it('folders of images, by a network of convolutions', async () => {
    for (const [kind, rotate] of [
      ['rows', 0],
      ['columns', 90],
    ] as const) {
      await mkdir(join(folder, 'images', kind), { recursive: true });
      for (let i = 0; i < 12; i++) {
        const bytes = Buffer.from(
          Array.from({ length: 256 }, (_, at) => (Math.floor(at / 16 + i) % 4 < 2 ? 40 : 200)),
        );
        const raw = { width: 16, height: 16, channels: 1 } as const;
        await sharp(bytes, { raw })
          .rotate(rotate)
          .png()
          .toFile(join(folder, 'images', kind, `${i}.png`));
      }
    }
    const args = ['train', '--model', 'cnn:4', '--data', 'images', '--batch', '8'];
    const { run, model } = await json<Trained>(
      ...args,
      '--image-size',
      '16x16x1',
      '--epochs',
      '20',
      '--lr',
      '0.02',
    );
    expect(run.result?.report).toMatchObject({ classes: ['columns', 'rows'], accuracy: 1 });
    expect(signatureOf(readModel(await readFile(model))).inputs).toEqual([
      { name: 'pixels', type: 'uint8', shape: ['batch', 1, 16, 16] },
    ]);
    expect((await failure(...args)).error).toMatch(/does not say how large its images are/);
  });

  it('what a configuration file says, with flags over it', async () => {
    await writeFile(
      join(folder, 'train.config.ts'),
      `import { mlp } from '${join(import.meta.dirname, '../../../onnx/src/index.ts')}';
       import { adamW, defineTraining } from '${join(import.meta.dirname, '../../../train/src/index.ts')}';
       export const training = defineTraining({
         model: ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, 8, outputs], seed }),
         data: 'points.csv', label: 'side', features: ['a', 'b'],
         optimiser: adamW({ weightDecay: 0.1 }), loss: { kind: 'cross-entropy', labelSmoothing: 0.1 },
         rate: 0.02, epochs: 9, freeze: /layer0.bias/, name: 'configured',
       });`,
    );
    const { run } = await json<Trained>('train', '--config', 'train.config.ts', '--epochs', '3');
    expect(run).toMatchObject({ name: 'configured', status: 'finished' });
    expect(run.epochs).toHaveLength(3);
    expect(run.plan).toMatchObject({
      optimiser: 'adamw',
      rate: 0.02,
      epochs: 3,
      freeze: 'layer0.bias',
      features: 'a,b',
    });
    expect(run.lineage.code.config).toMatch(/^[0-9a-f]{64}$/);
    await writeFile(join(folder, 'empty.config.ts'), 'export const other = 1;');
    expect((await failure('train', '--config', 'empty.config.ts')).error).toMatch(
      /exports no "training"/,
    );
  });
});
