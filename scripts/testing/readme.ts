/** Runs the samples of a package's README as they stand there. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Runs a sample as a program of its own, in an empty folder inside of the package, where the name of
 * the package resolves.
 * @param folder of the package. @param which sample, in the order of the page.
 */
export function runSample(
  folder: string,
  which = 0,
): { status: number | null; stdout: string; stderr: string } {
  const page = readFileSync(join(folder, 'README.md'), 'utf8');
  const [, sample] = [...page.matchAll(/```ts\n([^]*?)```/g)][which] ?? [];
  if (sample === undefined) throw new Error(`${folder} has no sample ${which}`);
  const place = mkdtempSync(join(folder, '.readme-'));
  try {
    writeFileSync(join(place, 'sample.ts'), sample);
    return spawnSync(process.execPath, ['sample.ts'], { cwd: place, encoding: 'utf8' });
  } finally {
    rmSync(place, { recursive: true });
  }
}
