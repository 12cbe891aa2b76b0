/**
 * Tunes V8's garbage collector to a node: a small heap, and beside it tensors that live for one
 * request.
 *
 * V8 starts to mark the whole heap whenever buffers of a few megabytes have come and gone, however
 * small the heap is. At 42 answers of a megabyte per second that was six times a second, each for
 * 20 ms of the thread that reads and writes, in steps of up to 16 ms: refusals came late and replicas
 * waited for their next run. When buffers count into the limit of the whole heap instead, which grows
 * with what is in use, it is once a second.
 */
import v8 from 'node:v8';

/** The one major version of Node whose V8 is known to have the flag; others would print an error. */
const NODE_MAJOR = '24';

/** For the whole process, as everything about the collector. */
export function tuneCollector(): void {
  if (process.versions.node.split('.')[0] !== NODE_MAJOR) return;
  v8.setFlagsFromString('--external-memory-accounted-in-global-limit');
}
