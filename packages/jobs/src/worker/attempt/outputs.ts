/**
 * Stores the outputs of a guest as artifacts, file by file. Everything about them is hostile input:
 * the driver returns regular files only, and their names and sizes are bounded here.
 */
import { SkeinError } from '@skein/api/errors';
import type { SandboxSession } from '@skein/sandbox';
import type { ArtifactStore } from '@skein/state';
import type { WorkResult } from '../../work.ts';
import { refuseStale, whileHeld, type AttemptTools } from './attempt-tools.ts';
import { throughOutage } from './through-outage.ts';

type Output = WorkResult['outputs'][number];

export interface WantedPath {
  readonly path: string;
  readonly optional?: boolean | undefined;
}

/** More files than this are a sign of an error, and would not fit into a job. */
const MAX_FILES = 10_000;

/**
 * @param maxBytes bound of all files together.
 * @throws SkeinError SANDBOX_OUTPUT_MISSING, SANDBOX_OUTPUT_TOO_LARGE, STORAGE_FULL; StaleAttempt.
 */
export async function collectOutputs(
  session: Pick<SandboxSession, 'collect'>,
  wanted: readonly WantedPath[],
  maxBytes: number,
  { artifacts, lease }: Pick<AttemptTools, 'lease'> & { artifacts: Pick<ArtifactStore, 'put'> },
): Promise<Output[]> {
  const outputs: Output[] = [];
  let leftBytes = maxBytes;
  /** All files at a path: after an outage they are collected again. */
  async function collect(path: string): Promise<void> {
    const found: Output[] = [];
    let bytes = 0;
    for await (const file of session.collect([path], leftBytes)) {
      if (outputs.length + found.length === MAX_FILES) {
        throw new SkeinError(
          'SANDBOX_OUTPUT_TOO_LARGE',
          `There are more than ${MAX_FILES} files at the outputs.`,
        );
      }
      const stored = await artifacts.put(whileHeld(lease, file.content), leftBytes - bytes);
      bytes += stored.sizeBytes;
      found.push({ path: file.path, ...stored });
    }
    leftBytes -= bytes;
    outputs.push(...found);
  }
  for (const { path, optional } of wanted) {
    refuseStale(lease);
    try {
      await throughOutage(() => collect(path), lease);
    } catch (error) {
      const missing = error instanceof SkeinError && error.code === 'SANDBOX_OUTPUT_MISSING';
      if (!missing || optional !== true) throw error;
    }
  }
  return outputs;
}
