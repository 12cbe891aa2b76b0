/**
 * Memory limits of a replica's model and its outputs. Models belong to the node and not to tenants,
 * because only `admin` may deploy: each replica has its own limit, and tenants have no budget for
 * them.
 */
import type { DeploymentSettings } from '@skein/api';
import { usableMemoryBytes } from '@skein/api/machine';
import type { VersionRecord } from '@skein/state';

/** Share of the memory of the machine or its container. Most models that a CPU serves take far less. */
const SHARE = 0.25;
/** A file is read, its weights are copied into the session and packed for the kernels; runs need more. */
const FILE_SIZES = 4;
/** Limit for any file: the node and the system need the rest. */
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

/** Memory of a process without its model: Node and the runtime. */
const PROCESS_BYTES = 64 * 2 ** 20;

/** Expected memory of a replica until it is measured, in bytes. A composition has no weights. */
export function expectedBytes(
  { kind, sizeBytes }: Pick<VersionRecord, 'kind' | 'sizeBytes'>,
  { isolation }: { readonly isolation?: DeploymentSettings['isolation'] | undefined },
): number {
  if (kind === 'composition') return 0;
  return sizeBytes + (isolation === 'process' ? PROCESS_BYTES : 0);
}

/**
 * Memory of a replica, by the growth of its process while it loaded. The weights are
 * copied into the session and packed for the kernels; what was measured beyond is other work of the
 * process.
 */
export function measuredBytes(
  { sizeBytes }: Pick<VersionRecord, 'sizeBytes'>,
  added: number,
): number {
  return Math.max(sizeBytes, Math.min(FILE_SIZES * sizeBytes + PROCESS_BYTES, added));
}
