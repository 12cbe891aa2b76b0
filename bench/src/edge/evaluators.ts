/** ONNX Runtime as `skein quantise` measures it: one thread, natively and in WebAssembly. */
import { writeModel } from '@skein/onnx';
import type { Evaluator } from '@skein/onnx/quantise';
import { nativeRuntime } from '@skein/runtime';
import { wasmRuntime } from '@skein/runtime/wasm';

export const NATIVE: Evaluator = {
  async open(model) {
    const session = await nativeRuntime.openInline!(
      { bytes: writeModel(model) },
      { device: 'cpu', threads: 1 },
    );
    return {
      run: async (feeds) => session.run(feeds).outputs,
      close: async () => session.close(),
    };
  },
};

export const WASM: Evaluator = {
  async open(model) {
    const session = await wasmRuntime.open(
      { bytes: writeModel(model) },
      { device: 'cpu', threads: 1, isolation: 'thread' },
    );
    return {
      run: async (feeds) => (await session.run(feeds)).outputs,
      close: () => session.close(),
    };
  },
};
