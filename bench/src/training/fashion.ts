/**
 * Fashion-MNIST by the command that the example names: five epochs over 60,000 pictures, judged by the
 * 10,000 that were made for it. Accuracy, not speed, so it has no peer and needs no quiet machine.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Run } from '@skein/api';
import { temporaryFolder } from '../harness/folder.ts';
import type { Measure } from '../harness/report.ts';

export const FASHION: Measure = {
  key: 'fashion_accuracy',
  what: 'Fashion-MNIST, a CNN: share of the test pictures classified right after five epochs (full run only)',
  unit: '',
  target: { atLeast: 0.9 },
};

const ROOT = join(import.meta.dirname, '../../..');

/** @returns the share, and the seconds that the command took. */
export async function measureFashion(): Promise<{ accuracy: number; seconds: number }> {
  const folder = await temporaryFolder();
  const begun = performance.now();
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        join(ROOT, 'packages/cli/src/main.ts'),
        'train',
        '--config',
        join(ROOT, 'examples/fashion-mnist/train.config.ts'),
        '--workers',
        '2',
        '--json',
        '--out',
        'garments.onnx',
      ],
      { cwd: folder.path, maxBuffer: 64 * 2 ** 20 },
    );
    const { run } = JSON.parse(stdout) as { run: Run };
    const report = run.result?.report;
    if (report?.kind !== 'classification') throw new Error('The run has no report.');
    return { accuracy: report.accuracy, seconds: (performance.now() - begun) / 1000 };
  } finally {
    await folder.remove();
  }
}
