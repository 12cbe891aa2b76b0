/** A folder in which `skein train` runs as for a user: real processes, real files, no node. */
import { mkdtempSync, rmSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Run } from '@skein/api';
import type { ErrorBody } from '@skein/api/errors';
import { seededRandom } from '@skein/onnx';
import { runCli, type CliOutcome } from '../../testing/cli.ts';

export const WDBC = join(import.meta.dirname, '../../../../../examples/wdbc/wdbc.csv');

export interface Trained {
  readonly run: Run;
  readonly model: string;
}

export interface TrainingFolder {
  readonly folder: string;
  /** Puts `wdbc.csv` and `points.csv` into it. */
  readonly fill: () => Promise<void>;
  readonly cli: (...words: string[]) => Promise<CliOutcome>;
  /** The result of a command that succeeds. */
  readonly json: <T>(...words: string[]) => Promise<T>;
  readonly failure: (...words: string[]) => Promise<ErrorBody & { readonly exit: number | null }>;
  readonly remove: () => void;
}

export function trainingFolder(): TrainingFolder {
  const folder = mkdtempSync(join(tmpdir(), 'skein-train-'));
  const cli = (...words: string[]) => runCli(words, { cwd: folder });
  return {
    folder,
    cli,
    async fill() {
      await copyFile(WDBC, join(folder, 'wdbc.csv'));
      await writeFile(join(folder, 'points.csv'), points(200, 1));
    },
    async json<T>(...words: string[]) {
      const { code, stdout, stderr } = await cli(...words, '--json');
      if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}: ${stderr}${stdout}`);
      return JSON.parse(stdout) as T;
    },
    async failure(...words) {
      const { code, stdout } = await cli(...words, '--json');
      return { ...(JSON.parse(stdout) as ErrorBody), exit: code };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Two linearly separable classes, and a number that is a sum: fast to learn. */
export function points(
  rows: number,
  seed: number,
  change: (row: string[], i: number) => string[] = (row) => row,
): string {
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
