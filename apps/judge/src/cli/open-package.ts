/** A problem package as it is named on a command line: a folder, or an archive to unpack for a while. */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { invalid } from '../package/invalid.ts';
import { loadProblem } from '../package/load-problem.ts';
import type { Problem } from '../package/problem.ts';
import { unpackPackage } from '../package/archive/unpack.ts';

export async function withPackage<Result>(
  path: string,
  work: (problem: Problem) => Promise<Result>,
): Promise<Result> {
  const status = await stat(path).catch(() => {
    throw invalid(path, 'there is no such file or folder');
  });
  if (status.isDirectory()) return work(await loadProblem(path));
  const folder = await mkdtemp(join(tmpdir(), 'skein-judge-'));
  try {
    return await work(await loadProblem(await unpackPackage(path, folder)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
