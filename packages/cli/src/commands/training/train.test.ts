/** `skein train` and `skein runs` as a user runs them: real processes, real files, no node. */
import { appendFile, copyFile, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunSummary } from '@skein/api';
import { readModel, signatureOf } from '@skein/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCli } from '../../testing/cli.ts';
import { trainingFolder, WDBC, type Trained } from '../../train/testing/training-folder.ts';

const { folder, fill, cli, json, failure, remove } = trainingFolder();
beforeAll(fill);
afterAll(remove);

describe('a run', () => {
  let first: Trained;
  const wdbc = ['train', '--model', 'mlp:16', '--data', 'wdbc.csv', '--label', 'diagnosis'];
  const plan = ['--lr', '0.01', '--schedule', 'cosine', '--warmup', '5', '--epochs', '8'];

  it('trains, keeps its record, and writes a model that takes raw rows', async () => {
    first = await json<Trained>(...wdbc, ...plan, '--name', 'first');
    const { run, model } = first;
    expect(model).toBe(join(folder, '.skein/runs', run.id, 'model.onnx'));
    expect((await readdir(folder)).sort()).toEqual(['.skein', 'points.csv', 'wdbc.csv']);
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

  it('continues from its result, with the encoding that it has', async () => {
    const more = await json<Trained>(
      'train',
      first.model,
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
      path: first.model,
      digest: first.run.result?.digest,
    });
    // The loss continues from the result; training did not start again.
    expect(more.run.epochs[0]!.loss).toBeLessThan(first.run.epochs[0]!.loss / 3);
  });

  it('that is retried reports its progress and its checkpoint to the worker of its job', async () => {
    const { stderr } = await cli(...wdbc, '--epochs', '2', '--retried', '--folder', 'job');
    expect(stderr).toMatch(/^::checkpoint$/m);
    expect(stderr).toMatch(/^::progress 1.0000 epoch 2 of 2, loss /m);
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
      killed.process.kill('SIGSTOP'); // else it may be done before the other command begins
      expect(await failure('train', '--resume', 'killed')).toMatchObject({ code: 'RUN_ACTIVE' });
      killed.process.kill('SIGKILL');
      await killed.ended;
      const { runs } = await json<{ runs: RunSummary[] }>('runs', 'ls', '--status', 'interrupted');
      expect(runs.map(({ name }) => name)).toEqual(['killed']);
      expect(runs[0]!.last!.epoch).toBeLessThan(150);
      const again = await cli('train', '--resume', 'killed', '--out', 'killed.onnx', '--json');
      // It resumes from the checkpoint, and does not start again.
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

    it('keeps a checkpoint on Ctrl-C, prints how to resume, and does, in another folder too', async () => {
      const cut = startCli([...long, '--name', 'cut', '--folder', 'kept', '--out', 'cut.onnx'], {
        cwd: folder,
      });
      await cut.saw(/^ +12 /m);
      cut.process.kill('SIGINT');
      const { code, stdout, stderr } = await cut.ended;
      expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
      const [, command] = /Stopped after step \d+ of 2250. To resume:\n +skein (.*)\n/.exec(
        stderr,
      )!;
      const words = (line: string) => line.replaceAll("'", '').split(' ');
      expect(await failure(...words(command!), '--epochs', '3')).toMatchObject({
        code: 'USAGE',
        exit: 2,
      });
      const resumed = await json<Trained & { readonly try: readonly string[] }>(...words(command!));
      expect(resumed.run.result?.digest).toBe(whole.run.result?.digest);
      expect(resumed.model).toBe(join(folder, 'cut.onnx'));
      const [show, deploy] = resumed.try;
      expect(await cli(...words(show!).slice(1))).toMatchObject({ code: 0 });
      expect(deploy).toMatch(/ --data 'kept'$/);
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
