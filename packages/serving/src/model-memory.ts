/**
 * How much memory a replica's model may take, and what it may give back. Models belong to the node
 * and not to tenants, because only `admin` may deploy: so each replica has a bound of its own, and no
 * tenant a budget of them.
 */
import type { DeploymentSettings } from '@skein/api';
import { usableMemoryBytes } from '@skein/api/machine';

/** Of the memory of the machine or its container. Most models that a CPU serves take far less. */
const SHARE = 0.25;
/** A file is read, its weights are copied into the session, and packed for the kernels; runs come on top. */
const FILE_SIZES = 4;
/** Whatever the file: the node and the system live here too. */
const MOST = 0.75;

/** Largest sum of the outputs of one run, in bytes. The node holds them; four of the largest bodies. */
export const MAX_OUTPUT_BYTES = 256 * 2 ** 20;

export function maxMemoryOf(
  { maxMemoryBytes }: Pick<DeploymentSettings, 'maxMemoryBytes'>,
  fileBytes: number,
  memoryBytes = usableMemoryBytes(),
): number {
  if (maxMemoryBytes !== undefined) return maxMemoryBytes;
  const wanted = Math.max(SHARE * memoryBytes, FILE_SIZES * fileBytes);
  return Math.floor(Math.min(MOST * memoryBytes, wanted));
}
