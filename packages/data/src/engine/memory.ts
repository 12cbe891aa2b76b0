/**
 * DuckDB's part of the memory of a job. Its own limit counts what it allocates for rows; the
 * rest of its process (Node, the library, buffers of files, what the allocator has not given back)
 * comes on top, and a job's memory covers the whole process.
 */
import { SkeinError } from '@skein/api/errors';

export interface Answer<Value> {
  readonly value: Value;
  /** The most memory that its process held at once, in bytes. */
  readonly peakBytes: number;
  /** Whether the rows did not fit with several threads, so that one thread read them again. */
  readonly isByOne?: true;
}

const MIB = 2 ** 20;

/** Memory of the process beyond what DuckDB counts: measured as 104 MiB before the first row, up to 175 after the last. */
const UNCOUNTED_BYTES = 192 * MIB;
/**
 * For each thread beyond the first. With two threads, a profile of 28 columns of CSV took more than 192 MiB beyond
 * DuckDB's limit after 6 minutes of processor time. That 64 MiB more are enough was not shown.
 */
const UNCOUNTED_PER_THREAD_BYTES = 64 * MIB;
/** DuckDB's makers ask for this: a thread holds so much before it spills. */
const PER_THREAD_BYTES = 128 * MIB;

/** The least that a job with a statement needs. */
export const LEAST_MEMORY_BYTES = UNCOUNTED_BYTES + PER_THREAD_BYTES;

export interface Bounds {
  /** Memory of the whole process. */
  readonly processBytes: number;
  /** Memory that DuckDB counts; rows beyond it spill to disk. */
  readonly memoryBytes: number;
  readonly threads: number;
}

/** @throws SkeinError MEMORY_SHORT. */
export function boundsOf({
  cores,
  memoryBytes,
}: {
  readonly cores: number;
  readonly memoryBytes: number;
}): Bounds {
  if (memoryBytes < LEAST_MEMORY_BYTES) {
    throw new SkeinError(
      'MEMORY_SHORT',
      `A statement needs a job with at least ${LEAST_MEMORY_BYTES / MIB} MiB, not ${Math.floor(memoryBytes / MIB)} MiB.`,
    );
  }
  const left = memoryBytes - UNCOUNTED_BYTES;
  const more = Math.floor(
    (left - PER_THREAD_BYTES) / (PER_THREAD_BYTES + UNCOUNTED_PER_THREAD_BYTES),
  );
  const threads = Math.max(1, Math.min(Math.ceil(cores), 1 + more));
  const counted = left - (threads - 1) * UNCOUNTED_PER_THREAD_BYTES;
  return { processBytes: memoryBytes, memoryBytes: counted, threads };
}
