/** Bounds of files that are converted. They protect the process that reads a foreign file. */
import { unsupportedModel } from '../onnx-error.ts';

/** A text of the largest model that the other bounds allow. */
const MOST_BYTES = 2 ** 30;
/** ONNX Runtime takes about 60 bytes for each. */
export const MOST_NODES = 8_000_000;
/** ONNX Runtime walks into a tree by recursion while it loads it. */
export const MOST_DEPTH = 4000;
export const MOST_FEATURES = 1_000_000;
export const MOST_OUTPUTS = 10_000;

export function requireSize(bytes: Uint8Array): void {
  if (bytes.byteLength > MOST_BYTES) {
    throw unsupportedModel(
      `The file has ${bytes.byteLength} bytes; at most ${MOST_BYTES} are converted. Train with fewer trees, or convert it where it was trained.`,
    );
  }
}

/** @throws OnnxError `unsupported`, with the way to a smaller model. */
export function requireAtMost(what: string, count: number, most: number): void {
  if (count > most) {
    throw unsupportedModel(
      `The model has ${count} ${what}; at most ${most} are converted. Train it with fewer.`,
    );
  }
}
