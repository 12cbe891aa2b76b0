/**
 * Collects what payloads leave behind. Buffers lie outside of V8's heap, and V8 lets 64 MiB of unused ones
 * pile up before it collects any, which is many times what a round needs; docs/decisions/0032 has measurements.
 *
 * A collection of the young generation takes a fifth of a millisecond, and frees what was used since the one
 * before. What outlived two of them, such as pieces of a slow connection, needs a whole collection, and so do
 * requests to the disk and hashes, whose native memory V8 does not even count.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { readonly type: 'minor' | 'major' }) => void;

/** Bytes of payloads between two collections of the young generation. */
const MINOR_BYTES = 2 ** 20;
/** Growth of memory in use at which all of it is collected, and least time between two such collections. */
const MAJOR = { bytes: 2 ** 20, everyMs: 500 };

let collect: Collect | undefined;
let used = 0;
/** Native memory since the last whole collection. */
let native = 0;
let least = Infinity;
let collectedAt = -Infinity;

/** Native bytes of requests and hashes that are done. */
export function usedNative(bytes: number): void {
  native += bytes;
  usedBytes(bytes);
}

/** @param bytes of a payload that were moved through memory, and are not used any more. */
export function usedBytes(bytes: number): void {
  used += bytes;
  if (used < MINOR_BYTES) return;
  used = 0;
  collect ??= collector();
  collect({ type: 'minor' });
  const now = performance.now();
  const inUse = usedMemory();
  least = Math.min(least, inUse);
  if (inUse - least + native < MAJOR.bytes || now - collectedAt < MAJOR.everyMs) return;
  collectedAt = now;
  native = 0;
  collect({ type: 'major' });
  least = usedMemory();
}

/** Bytes in V8's heap, and outside of it. */
function usedMemory(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}

/** V8's own, which is there only where it was asked for. */
function collector(): Collect {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as Collect;
}
