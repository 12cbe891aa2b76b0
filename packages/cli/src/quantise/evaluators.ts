/** ONNX Runtime on the calling thread, natively and in WebAssembly, as evaluators of quantised models. */
import { writeModel } from '@skein/onnx';
import type { Evaluator } from '@skein/onnx/quantise';
import type { Runtime, Session } from '@skein/runtime/contract';

/** One thread: the times of two models are compared, and other threads would move them. */
const OPTIONS = { device: 'cpu', threads: 1 } as const;

export async function openEvaluators(): Promise<Record<'native' | 'wasm', Evaluator>> {
  const { nativeRuntime } = await import('@skein/runtime');
  const { wasmRuntime } = await import('@skein/runtime/wasm');
  return { native: inline(nativeRuntime), wasm: sessions(wasmRuntime) };
}

function inline(runtime: Runtime): Evaluator {
  return {
    async open(model) {
      const session = await runtime.openInline!({ bytes: writeModel(model) }, OPTIONS);
      return {
        run: async (feeds) => session.run(feeds).outputs,
        close: async () => session.close(),
      };
    },
  };
}

function sessions(runtime: Runtime): Evaluator {
  return {
    async open(model) {
      const session: Session = await runtime.open(
        { bytes: writeModel(model) },
        { ...OPTIONS, isolation: 'thread' },
      );
      return {
        run: async (feeds) => (await session.run(feeds)).outputs,
        close: () => session.close(),
      };
    },
  };
}
