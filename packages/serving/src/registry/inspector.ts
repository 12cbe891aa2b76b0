/**
 * Inspects model files without blocking the node: reading a model of hundreds of megabytes, or a
 * small one of a million nodes, takes seconds. Only small files are read on the calling thread,
 * because a worker thread costs about 50 ms and most models are small.
 *
 * A file may be hostile: the thread has a limit of time and one of memory.
 */
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { SkeinError, type ErrorCode } from '@skein/api';
import { OnnxError, type OnnxErrorKind } from '@skein/onnx';
import { workerEnvironment } from '@skein/state/worker-environment';
import { inspectModel, type Inspection } from './inspection.ts';
import type { InspectionReply } from './inspection-worker.ts';

/**
 * Files up to this many bytes are read on the calling thread: one of only empty nodes takes 4 ms. A
 * mebibyte of them takes 75 ms, and 135 MiB.
 */
const SMALL_BYTES = 1 << 16;
/** The largest ONNX file takes some 10 s. */
const INSPECT_MS = 60_000;
/** Of the thread's heap, in MiB; the bytes of the file, and of large tensors, are not in it. */
const HEAP_MIB = 1024;
/** Protobuf's limit, and so ONNX's; larger models keep their weights in separate files. */
const LARGEST_BYTES = 2 ** 31 - 1;

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
  if (sizeBytes > LARGEST_BYTES) {
    throw new SkeinError(
      'MODEL_FILE_INVALID',
      `The file has ${sizeBytes} bytes; an ONNX model has at most ${LARGEST_BYTES}.`,
    );
  }
  if (sizeBytes > SMALL_BYTES) return inspectInThread(path, timeoutMs, heapMib);
  const bytes = await readFile(path);
  try {
    return inspectModel(bytes);
  } catch (error) {
    if (error instanceof OnnxError) throw refusal(error.kind, error.message);
    throw error;
  }
}

function inspectInThread(path: string, timeoutMs: number, heapMib: number): Promise<Inspection> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER_ENTRY, {
      name: 'skein-inspection',
      workerData: { path },
      execArgv: [],
      env: workerEnvironment(),
      resourceLimits: { maxOldGenerationSizeMb: heapMib },
    });
    const timer = setTimeout(() => {
      reject(refusal('invalid', `The model could not be read within ${timeoutMs} ms.`));
      // The thread runs no native code that could not be stopped.
      void worker.terminate();
    }, timeoutMs);
    worker.once('message', (reply: InspectionReply) => {
      if ('inspection' in reply) resolve(reply.inspection);
      else reject(refusal(reply.refused.kind, reply.refused.message));
    });
    worker.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? refusal('invalid', 'Reading the graph of the model takes more memory than allowed.')
          : error,
      );
    });
    worker.once('exit', () => {
      clearTimeout(timer);
      reject(new Error('The inspection ended without a result.'));
    });
  });
}

function refusal(kind: OnnxErrorKind, message: string): SkeinError {
  return new SkeinError(CODES[kind], message);
}
