import { expect, it } from 'vitest';
import { jobProgress } from './job-progress.ts';

const MiB = 2 ** 20;

it('asks a worker for a copy of a checkpoint once a minute, and of a large one less often', () => {
  const asked = (sizeBytes: number) => {
    let at = 0;
    const seconds: number[] = [];
    const { onCheckpoint } = jobProgress(
      (line) => void (line === '::checkpoint' && seconds.push(at / 1000)),
      () => at,
    );
    for (; at < 1_000_000; at += 20_000) onCheckpoint(sizeBytes);
    return seconds;
  };
  expect(asked(1000).slice(0, 4)).toEqual([0, 60, 120, 180]);
  // 400 seconds of 256 KiB each.
  expect(asked(100 * MiB)).toEqual([0, 400, 800]);
});
