/** Rows that do not fit into memory give the same model as rows in memory, in bounded memory. */
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import type { Run } from '@skein/api';
import { seededRandom } from '@skein/onnx';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { runCli, startCli } from '../../testing/cli.ts';
import { npy, npz } from '../../../../train/src/testing/npy.ts';

const folder = testFolder();
const file = (name: string) => join(folder, name);

/** Rows and labels that can be learnt. */
function numbers(rows: number, width: number): { x: Float32Array; y: Float32Array } {
  const random = seededRandom(5);
  const x = Float32Array.from({ length: rows * width }, () => random.next() - 0.5);
  return { x, y: Float32Array.from({ length: rows }, (_, row) => Number(x[row * width]! > 0)) };
}

async function digest(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(['train', '--epochs', '2', ...args, '--json'], {
    cwd: folder,
  });
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
  const { run } = JSON.parse(stdout) as { readonly run: Run };
  return run.result!.digest;
}

describe('the model is the same to the bit', () => {
  /** Results of the model whose rows are in memory, and of the one whose rows are in files. */
  const digests = async (...args: string[]) => [
    await digest(...args),
    await digest(...args, '--memory', '1B'),
  ];
  beforeAll(async () => {
    const { x, y } = numbers(150, 4);
    await writeFile(file('x.npy'), npy([150, 2, 2], x));
    await writeFile(file('y.npy'), npy([150], y));
    await writeFile(file('a.npz'), npz({ x: npy([150, 4], x), y: npy([150], y) }));
    const random = seededRandom(2);
    const lines = Array.from(y, (label, row) => {
      const city = ['Berlin', 'Paris', '', 'Oslo'][Math.floor(random.next() * 4)]!;
      const a = row % 9 === 4 ? '' : x[row * 4]!;
      return `${a},${city},${x[row * 4 + 1]! * 1000},${label === 1 ? 'yes' : 'no'}`;
    });
    await writeFile(file('t.csv'), ['a,city,b,ill', ...lines].join('\n'));
    const pixels = Array.from(x, (number) => Math.floor((number + 0.5) * 256));
    const idx = (shape: readonly number[], bytes: ArrayLike<number>) => {
      const sizes = shape.flatMap((size) => [0, 0, 0, size]);
      return gzipSync(Uint8Array.from([0, 0, 8, shape.length, ...sizes, ...Array.from(bytes)]));
    };
    await writeFile(file('images-idx3-ubyte.gz'), idx([150, 2, 2], pixels));
    await writeFile(file('labels-idx1-ubyte.gz'), idx([150], y));
  });

  const pair = ['--data', 'x.npy', '--labels', 'y.npy'];
  const table = ['--data', 't.csv', '--label'];
  it.each<[string, readonly string[]]>([
    ['a table with gaps', [...table, 'ill', '--missing', 'mean', '--validation-data', 't.csv']],
    ['a table without its gaps', [...table, 'ill', '--missing', 'drop']],
    ['a table of numbers to predict', [...table, 'b', '--missing', 'drop']],
    ['a pair of arrays', [...pair, '--scaling', 'standard']],
    ['a pair of arrays, on two threads', [...pair, '--workers', '2']],
    ['an archive', ['--data', 'a.npz']],
    ['a packed file of the MNIST family', ['--data', 'images-idx3-ubyte.gz']],
  ])('of %s', async (_, args) => {
    const [inMemory, stored] = await digests('--model', 'mlp:6', ...args);
    expect(stored).toBe(inMemory);
  });

  it('of images', async () => {
    for (const [kind, level] of [
      ['dark', 40],
      ['light', 200],
    ] as const) {
      await mkdir(file(`images/${kind}`), { recursive: true });
      for (let i = 0; i < 6; i++) {
        const bytes = Buffer.from(Array.from({ length: 64 }, (_, at) => level + ((at * i) % 40)));
        const raw = { width: 8, height: 8, channels: 1 } as const;
        await sharp(bytes, { raw })
          .png()
          .toFile(file(`images/${kind}/${i}.png`));
      }
    }
    const args = ['--model', 'cnn:2', '--data', 'images', '--image-size', '8x8x1', '--batch', '4'];
    const [inMemory, stored] = await digests(...args);
    expect(stored).toBe(inMemory);
  });

  it('and nothing is left of the files', async () => {
    const left = await readdir(file('.skein'));
    expect(left.filter((name) => name.startsWith('rows-'))).toEqual([]);
  });
});

const MIB = 2 ** 20;

/** Peak memory of a training in MiB, from the kernel. */
async function peakOf(...args: string[]): Promise<number> {
  // Without these, the peak is what V8 lets its generations grow to on a busy machine, not what is held.
  const v8 = ['--max-old-space-size=64', '--max-semi-space-size=2'] as const;
  const heap = [...v8, join(import.meta.dirname, '../../main.ts')] as const;
  const training = startCli(
    ['train', '--epochs', '1', '--batch', '256', '--name', 'large', ...args],
    { cwd: folder, program: [process.execPath, ...heap] },
  );
  // The end of an epoch is printed when all rows have been trained on and evaluated.
  let peak = 0;
  const look = async () => {
    const status = await readFile(`/proc/${training.process.pid}/status`, 'utf8').catch(() => '');
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024);
  };
  const timer = setInterval(() => void look(), 20);
  const { code, stderr, stdout } = await training.ended;
  clearInterval(timer);
  expect({ code, stderr: code === 0 ? '' : stderr + stdout }).toEqual({ code: 0, stderr: '' });
  return peak;
}

describe.runIf(process.platform === 'linux')('memory is bounded', () => {
  /** Memory of a training with few rows. */
  let least: number;
  const ROWS = 60_000;
  const WIDTH = 784;

  beforeAll(async () => {
    const { x, y } = numbers(100, 4);
    await writeFile(file('few.npy'), npy([100, 4], x));
    await writeFile(file('few-labels.npy'), npy([100], y));
    least = await peakOf('--model', 'mlp', '--data', 'few.npy', '--labels', 'few-labels.npy');
  });

  it('for an array that is several times as large', async () => {
    const { x } = numbers(64, WIDTH);
    const part = new Uint8Array(x.buffer);
    const out = createWriteStream(file('large.npy'));
    const header = npy([ROWS, WIDTH], []);
    out.write(header);
    for (let row = 0; row < ROWS; row += 64) {
      const rows = Math.min(64, ROWS - row);
      if (!out.write(part.subarray(0, rows * WIDTH * 4))) await once(out, 'drain');
    }
    out.end();
    await once(out, 'close');
    await writeFile(file('large-labels.npy'), npy([ROWS], numbers(ROWS, 1).y));
    const large = (ROWS * WIDTH * 4) / MIB;
    expect(large).toBeGreaterThan(170);
    const pair = ['--data', 'large.npy', '--labels', 'large-labels.npy'];
    const peak = await peakOf('--model', 'mlp', ...pair, '--memory', '8MiB');
    expect(peak - least).toBeLessThan(large / 3);
  }, 120_000);

  it('for a table', async () => {
    const out = createWriteStream(file('large.csv'));
    const names = Array.from({ length: 60 }, (_, i) => `c${i}`);
    out.write(`${names.join(',')},city,side\n`);
    const random = seededRandom(1);
    const count = 200_000;
    for (let row = 0; row < count; row++) {
      const cells = names.map((_, i) => ((row * 31 + i * 17) % 1009) / 100);
      const city = ['Berlin', 'Paris', 'Oslo'][row % 3]!;
      const side = random.next() < 0.5 ? 'left' : 'right';
      if (!out.write(`${cells.join(',')},${city},${side}\n`)) await once(out, 'drain');
    }
    out.end();
    await once(out, 'close');
    // float64 columns, float32 rows and the copies that are trained on.
    const large = (count * 61 * (8 + 4 + 4)) / MIB;
    const table = ['--model', 'mlp', '--data', 'large.csv', '--label', 'side'];
    const peak = await peakOf(...table, '--memory', '8MiB');
    expect(peak - least).toBeLessThan(large / 3);
  }, 120_000);
});
