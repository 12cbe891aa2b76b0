/**
 * Inspects model files without blocking the node: reading a model of hundreds of megabytes, or a
 * small one of a million nodes, takes seconds. Only small files are read on the calling thread,
 * because a worker thread costs about 50 ms and most models are small.
 *
 * A file may be hostile: the thread has a limit of time and one of memory.
 */
import { SkeinError, type ErrorCode } from '@skein/api';
import { startThread, WorkerLost, withWorker } from '@skein/calls';
import { OnnxError, type OnnxErrorKind } from '@skein/onnx';
import { inspectModel, type Inspection } from './inspection.ts';
import type { InspectionCalls } from './inspection-worker.ts';

/**
 * Files up to this many bytes are read on the calling thread: one of only empty nodes takes 4 ms. A
 * mebibyte of them takes 75 ms, and 135 MiB.
 */
const SMALL_BYTES = 1 << 16;
/** The largest ONNX file takes some 10 s. */
const INSPECT_MS = 60_000;
/** Bound of the thread's heap, in MiB; the bytes of the file, and of large tensors, are not in it. */
const HEAP_MIB = 1024;

const WORKER_ENTRY = new URL('./inspection-worker.ts', import.meta.url);

const CODES: Record<OnnxErrorKind, ErrorCode> = {
  invalid: 'MODEL_FILE_INVALID',
  unsupported: 'MODEL_UNSUPPORTED',
  'external-data': 'MODEL_EXTERNAL_DATA',
};

export interface InspectionBounds {
  readonly timeoutMs?: number;
  readonly heapMib?: number;
}

/** @throws SkeinError MODEL_FILE_INVALID, MODEL_UNSUPPORTED, MODEL_EXTERNAL_DATA. */
export async function inspectFile(
  path: string,
  sizeBytes: number,
  { timeoutMs = INSPECT_MS, heapMib = HEAP_MIB }: InspectionBounds = {},
): Promise<Inspection> {
  try {
    if (sizeBytes <= SMALL_BYTES) return inspectModel(path, sizeBytes);
    return await inspectInThread([path, sizeBytes], timeoutMs, heapMib);
  } catch (error) {
    if (error instanceof OnnxError) throw refusal(error.kind, error.message);
    throw error;
  }
}

async function inspectInThread(
  file: readonly [path: string, sizeBytes: number],
  timeoutMs: number,
  heapMib: number,
): Promise<Inspection> {
  // The thread runs no native code that could not be stopped.
  const thread = startThread<InspectionCalls>(WORKER_ENTRY, {
    name: 'skein-inspection',
    errors: [OnnxError],
    heapMib,
  });
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await withWorker(thread, ({ call }) => call('inspect', file, { signal }));
  } catch (error) {
    if (signal.aborted) {
      throw refusal('invalid', `The model could not be read within ${timeoutMs} ms.`);
    }
    if (error instanceof WorkerLost && error.reason === 'memory') {
      throw refusal('invalid', 'Reading the graph of the model takes more memory than allowed.');
    }
    throw error;
  }
}

function refusal(kind: OnnxErrorKind, message: string): SkeinError {
  return new SkeinError(CODES[kind], message);
}
