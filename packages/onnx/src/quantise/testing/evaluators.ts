/** ONNX Runtime, native and in WebAssembly, as evaluators. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import * as web from 'onnxruntime-web/wasm';
import { writeModel } from '../../model/model.ts';
import { values, type NumericTensor, type NumericType } from '../../tensor/tensor.ts';
import type { Evaluator } from '../evaluator.ts';

type Runtime = {
  readonly InferenceSession: Pick<typeof InferenceSession, 'create'>;
  readonly Tensor: typeof Tensor;
};

/** @param level `disabled` computes every node alone, as its specification defines it. */
function evaluator(runtime: Runtime, level: 'all' | 'disabled'): Evaluator {
  return {
    async open(model) {
      const session = await runtime.InferenceSession.create(writeModel(model), {
        graphOptimizationLevel: level,
        intraOpNumThreads: 1,
        logSeverityLevel: 4,
      });
      return {
        async run(feeds) {
          const given = [...feeds].map(([name, each]) => {
            const { type, shape } = each as NumericTensor;
            const data = values(each as NumericTensor);
            return [name, new runtime.Tensor(type as 'float32', data as Float32Array, shape)];
          });
          const results = await session.run(Object.fromEntries(given) as Record<string, Tensor>);
          const named = Object.entries(results).map(([name, { type, dims, data }]) => {
            const { buffer, byteOffset, byteLength } = data as Float32Array;
            const bytes = new Uint8Array(buffer, byteOffset, byteLength).slice();
            return [name, { type: type as NumericType, shape: dims, bytes }] as const;
          });
          return new Map(named);
        },
        close: () => session.release(),
      };
    },
  };
}

const wasm = web as unknown as Runtime;
web.env.wasm.numThreads = 1;
web.env.logLevel = 'fatal';

export const native = evaluator({ InferenceSession, Tensor }, 'all');
export const evaluators = { native, wasm: evaluator(wasm, 'all') };
/** The oracle: every node alone, in floats between. */
export const nodeByNode = evaluator({ InferenceSession, Tensor }, 'disabled');
