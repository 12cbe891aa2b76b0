/** `skein quantise` as a user runs it, on models and rows of every kind. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkModel, GraphBuilder, readModel, signatureOf, tensor, writeModel } from '@skein/onnx';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { realModels } from '../../../../onnx/src/testing/real-models.ts';
import { npy, npz } from '../../../../train/src/testing/npy.ts';
import { runCli } from '../../testing/cli.ts';
import type { Quantised } from '../../quantise/result.ts';

const WDBC = join(import.meta.dirname, '../../../../../examples/wdbc/wdbc.csv');
const cwd = testFolder();
const path = (name: string): string => join(cwd, name);

async function quantise(...args: string[]): Promise<{ code: number | null; answer: Quantised }> {
  const { code, stdout, stderr } = await runCli(
    ['quantise', ...args, '--timing', '5ms', '--json'],
    { cwd },
  );
  if (stdout === '') throw new Error(stderr);
  return { code, answer: JSON.parse(stdout) as Quantised };
}

const DIAGNOSIS = ['--data', WDBC, '--label', 'diagnosis'];
/** No variant of so small a model is faster for certain, so that only a size asks for one. */
const ANY_SPEED = ['--max-size', '1MiB'];

beforeAll(async () => {
  const { code, stderr } = await runCli(
    ['train', '--model', 'mlp:64', ...DIAGNOSIS, '--epochs', '3', '--out', 'diagnosis.onnx'],
    { cwd },
  );
  if (code !== 0) throw new Error(stderr);
}, 60_000);

/** x [batch, 4, 6] and factor [batch] → y [batch, 4, 8]; a matrix and a number per row. */
function twoInputs(): Uint8Array {
  const graph = new GraphBuilder('two');
  const weights = Float32Array.from({ length: 48 }, (_, at) => Math.sin(at));
  graph.input('x', 'float32', ['batch', 4, 6]);
  graph.input('factor', 'float32', ['batch', 1, 1]);
  const w = graph.initializer('w', tensor('float32', [6, 8], weights));
  const [product] = graph.node('MatMul', ['x', w], {});
  graph.node('Mul', [product, 'factor'], {}, { outputs: ['y'] });
  graph.output('y', 'float32', ['batch', 4, 8]);
  return writeModel(graph.model());
}

describe('skein quantise', { timeout: 60_000 }, () => {
  it('measures every variant on rows of a table, and writes the chosen one', async () => {
    const { code, answer } = await quantise(
      'diagnosis.onnx',
      ...DIAGNOSIS,
      ...ANY_SPEED,
      '--out',
      'small.onnx',
      '--svg',
      'small.svg',
    );
    expect(code).toBe(0);
    expect(answer.rows).toEqual({ calibration: 285, held: 284, random: false });
    expect(answer.float.accuracy).toBeGreaterThan(0.9);
    for (const { name, bytes, accuracy, error, timings, reason } of answer.variants) {
      expect([name, reason]).toEqual([name, undefined]);
      expect(bytes).toBeLessThan(answer.float.bytes);
      expect(Math.abs(accuracy! - answer.float.accuracy!)).toBeLessThan(0.03);
      expect(error).toBeGreaterThan(0);
      expect(Object.keys(timings)).toEqual(['native', 'wasm']);
      for (const { ms, ratio } of Object.values(timings))
        expect(Math.min(ms, ratio)).toBeGreaterThan(0);
    }
    const small = readModel(readFileSync(path('small.onnx')));
    checkModel(small);
    expect(signatureOf(small)).toEqual(
      signatureOf(readModel(readFileSync(path('diagnosis.onnx')))),
    );
    const chosen = answer.variants.find(({ name }) => name === answer.chosen)!;
    expect(answer.estimatedBy).toBe('gradients');
    expect(answer.layers.map(({ operator, form }) => [operator, form])).toEqual([
      ['Gemm', expect.stringMatching(/8$|4$|static|dynamic|float/)],
      ['Gemm', expect.stringMatching(/8$|4$|static|dynamic|float/)],
    ]);
    for (const layer of answer.layers) {
      expect(layer.bytes).toBeLessThanOrEqual(layer.floatBytes);
      expect(layer.error4).toBeGreaterThan(layer.error8);
    }
    // Errors add up as squares to about the error that is measured.
    const estimate = Math.sqrt(answer.layers.reduce((sum, { error }) => sum + error ** 2, 0));
    expect(estimate / chosen.error!).toBeGreaterThan(0.25);
    expect(estimate / chosen.error!).toBeLessThan(4);
    const picture = readFileSync(path('small.svg'), 'utf8');
    for (const { name } of [...answer.variants, ...answer.layers]) expect(picture).toContain(name);
    expect(picture).not.toMatch(/NaN|undefined|Infinity/);
    expect(readFileSync(path('small.onnx')).byteLength).toBe(chosen.bytes);
    expect(answer.isSlower).toBe(chosen.timings['native']!.ratio > 1.05);
  });

  it('prints a table with the reasons, also where it refuses every variant', async () => {
    const args = [
      'quantise',
      '--timing',
      '5ms',
      'diagnosis.onnx',
      ...DIAGNOSIS,
      '--max-error',
      '0',
      '--out',
      'no.onnx',
    ];
    const { code, stdout, stderr } = await runCli(args, { cwd });
    expect(code).toBe(1);
    expect(stdout).toMatch(/VARIANT +SIZE +ERROR +CHANGED +ACCURACY +NATIVE +WASM/);
    expect(stdout).toMatch(/^float32 +\d.*MiB|^float32 +\d.*KiB/m);
    expect(stdout).toContain('int8: its error is above --max-error.');
    expect(stderr).toContain('QUANTISE_REFUSED');
    expect(existsSync(path('no.onnx'))).toBe(false);
  });

  it('refuses variants whose golden rows fall by more than stated', async () => {
    // Rows near the border of the classes: coarse weights move some of them over it.
    const rows = Array.from({ length: 400 }, (_, at) =>
      Array.from({ length: 16 }, (_each, i) => Math.sin(at * 17 + i * 3)),
    );
    const graph = new GraphBuilder('border');
    const weights = Float32Array.from({ length: 16 * 64 }, (_, at) => Math.cos(at * 7));
    graph.input('x', 'float32', ['batch', 16]);
    const w = graph.initializer('w', tensor('float32', [16, 64], weights));
    graph.node('MatMul', ['x', w], {}, { outputs: ['y'] });
    graph.output('y', 'float32', ['batch', 64]);
    writeFileSync(path('border.onnx'), writeModel(graph.model()));
    writeFileSync(path('rows.json'), JSON.stringify(rows.map((x) => ({ x }))));
    const run = (drop: string) =>
      quantise(
        'border.onnx',
        '--data',
        'rows.json',
        '--max-drop',
        drop,
        '--max-error',
        '100',
        ...ANY_SPEED,
      );
    const { code, answer } = await run('100');
    expect(code).toBe(0);
    const int4 = answer.variants.find(({ name }) => name === 'int4')!;
    expect(int4.drop).toBeCloseTo(100 * int4.changed!, 9);
    expect(int4.drop).toBeGreaterThan(2);
    const strict = await run(String(int4.drop! - 0.01));
    expect(strict.answer.variants.find(({ name }) => name === 'int4')!.refused).toBe('drop');
    expect(strict.answer.chosen).not.toContain('int4');
    expect(await run('0')).toMatchObject({ code: 1, answer: { code: 'QUANTISE_REFUSED' } });
  });

  it('quantises weights alone without rows, and labels its inputs as random', async () => {
    const { stdout } = await runCli(
      ['quantise', 'diagnosis.onnx', '--timing', '5ms', ...ANY_SPEED],
      { cwd },
    );
    expect(stdout).toContain('16 RANDOM inputs');
    expect(stdout).toContain('int8 was not built: the ranges of its activations need rows.');
  });

  it('reads arrays for one input and for several, and converts their type', async () => {
    writeFileSync(path('two.onnx'), twoInputs());
    const x = Array.from({ length: 8 * 24 }, (_, at) => Math.cos(at));
    const arrays = {
      x: npy([8, 4, 6], x),
      factor: npy([8, 1, 1], BigInt64Array.from([1, 2, 3, 4, 5, 6, 7, 8], BigInt)),
    };
    writeFileSync(path('two.npz'), npz(arrays));
    const { answer } = await quantise('two.onnx', '--data', 'two.npz', ...ANY_SPEED);
    expect(answer.rows).toEqual({ calibration: 4, held: 4, random: false });
    expect(answer.variants.find(({ name }) => name === 'int8')!.error).toBeLessThan(0.02);
    writeFileSync(path('x.npy'), arrays.x);
    expect(await quantise('two.onnx', '--data', 'x.npy')).toMatchObject({
      code: 2,
      answer: { code: 'USAGE', error: expect.stringContaining('the model has 2 inputs') },
    });
    const wrong = npz({ ...arrays, x: npy([8, 4, 5], x.slice(0, 160)) });
    writeFileSync(path('wrong.npz'), wrong);
    expect(await quantise('two.onnx', '--data', 'wrong.npz')).toMatchObject({
      code: 1,
      answer: { error: expect.stringContaining("Rows of 'x' have the shape [4, 5]") },
    });
  });

  it('binds an input whose branches hide the layers', async () => {
    const silero = realModels.find(({ name }) => name === 'silero_vad_v6.onnx')!.path;
    const frame = (at: number) => ({
      input: [Array.from({ length: 576 }, (_, i) => 0.1 * Math.sin(i * (at + 1) * 0.05))],
      state: Array.from({ length: 2 }, () => [Array.from({ length: 128 }, () => 0)]),
    });
    writeFileSync(
      path('frames.json'),
      JSON.stringify(Array.from({ length: 6 }, (_, at) => frame(at))),
    );
    const { code, answer } = await quantise(
      silero,
      '--bind',
      'sr=16000',
      '--data',
      'frames.json',
      '--out',
      'vad.onnx',
      '--max-error',
      '1000',
      ...ANY_SPEED,
    );
    expect(code).toBe(0);
    expect(answer.estimatedBy).toBe('runs');
    // Without --bind there is no layer outside of the branches.
    expect(answer.layers.length).toBe(7);
    expect(answer.variants.find(({ name }) => name === answer.chosen)!.bytes).toBeLessThan(
      0.8 * answer.float.bytes,
    );
    const names = signatureOf(readModel(readFileSync(path('vad.onnx')))).inputs.map(
      ({ name }) => name,
    );
    expect(names).toEqual(['input', 'state']);
  });
});
