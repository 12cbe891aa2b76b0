/** Where ONNX Runtime's WebAssembly file is, for a server that delivers it to pages. */
import { fileURLToPath } from 'node:url';

/** Absolute path. */
export function wasmFile(): string {
  return fileURLToPath(import.meta.resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm'));
}
