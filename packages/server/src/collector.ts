/**
 * Tunes V8's garbage collector for a node: a small heap, and tensors outside of it that live for
 * one request.
 *
 * V8 starts to mark the whole heap whenever some megabytes of buffers have been allocated and
 * freed, however small the heap is. At 42 answers of a megabyte per second that was six times per
 * second, each for 20 ms of the event loop thread, in steps of up to 16 ms: rejections were late
 * and replicas waited for their next run. With this flag, buffers count towards the limit of the
 * whole heap, which grows with its use, and marking happens once per second.
 */
import v8 from 'node:v8';

/** The one major version of Node whose V8 is known to have the flag; other versions would print an error. */
const NODE_MAJOR = '24';

/** Applies to the whole process. */
export function tuneCollector(): void {
  if (process.versions.node.split('.')[0] !== NODE_MAJOR) return;
  v8.setFlagsFromString('--external-memory-accounted-in-global-limit');
}
