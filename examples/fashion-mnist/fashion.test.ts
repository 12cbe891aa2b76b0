/** The README's command on few pictures, and with SKEIN_FULL=1 on all of them. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { Run } from '@skein/api';
import { describe, expect, it } from 'vitest';
import { requireComponent } from '../../scripts/testing/components.ts';
import { testFolder } from '../../scripts/testing/folder.ts';

const MAIN = join(import.meta.dirname, '../../packages/cli/src/main.ts');
const CONFIG = join(import.meta.dirname, 'train.config.ts');
const SOURCE = '/usr/share/datasets/fashion-mnist';
const pictures = requireComponent('dataset-fashion-mnist');

/** The first rows of an IDX file whose elements are bytes. */
async function firstRows(name: string, count: number): Promise<Uint8Array> {
  const whole = gunzipSync(await readFile(join(SOURCE, `${name}.gz`)));
  const rank = whole[3]!;
  const start = 4 + 4 * rank;
  const size = Array.from({ length: rank - 1 }, (_, axis) => whole.readUInt32BE(8 + 4 * axis));
  const rowBytes = size.reduce((product, each) => product * each, 1);
  const part = Buffer.from(whole.subarray(0, start + count * rowBytes));
  part.writeUInt32BE(count, 4);
  return part;
}

describe.skipIf(pictures.skip)('garments', () => {
  const folder = testFolder();

  async function accuracyOf(...args: string[]): Promise<number> {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [MAIN, 'train', '--config', CONFIG, '--json', '--out', 'garments.onnx', ...args],
      { cwd: folder, maxBuffer: 64 * 2 ** 20 },
    );
    const { run } = JSON.parse(stdout) as { run: Run };
    const report = run.result?.report;
    if (report?.kind !== 'classification') throw new Error('There is no report.');
    return report.accuracy;
  }

  it('are classified after training on 2,000 of them', { timeout: 180_000 }, async () => {
    for (const [name, count] of [
      ['train-images-idx3-ubyte', 2000],
      ['train-labels-idx1-ubyte', 2000],
      ['t10k-images-idx3-ubyte', 500],
      ['t10k-labels-idx1-ubyte', 500],
    ] as const) {
      await writeFile(join(folder, name), await firstRows(name, count));
    }
    const accuracy = await accuracyOf(
      '--data',
      'train-images-idx3-ubyte',
      '--validation-data',
      't10k-images-idx3-ubyte',
      '--epochs',
      '3',
      '--warmup',
      '10',
    );
    // One in ten would be right by chance.
    expect(accuracy).toBeGreaterThan(0.72);
  });

  it.skipIf(process.env['SKEIN_FULL'] !== '1')(
    'are classified with at least 90 % accuracy after five epochs over all',
    { timeout: 3_600_000 },
    async () => expect(await accuracyOf()).toBeGreaterThan(0.9),
  );
});
