/** Reads one model file in its own thread, sends the result, and ends. */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { OnnxError, type OnnxErrorKind } from '@skein/onnx';
import { inspectModel, type Inspection } from './inspection.ts';

export type InspectionReply =
  | { readonly inspection: Inspection }
  | { readonly refused: { readonly kind: OnnxErrorKind; readonly message: string } };

function inspect(path: string): InspectionReply {
  try {
    return { inspection: inspectModel(readFileSync(path)) };
  } catch (error) {
    if (!(error instanceof OnnxError)) throw error;
    return { refused: { kind: error.kind, message: error.message } };
  }
}

parentPort?.postMessage(inspect((workerData as { path: string }).path), []);
