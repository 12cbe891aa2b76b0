/**
 * Training in WebAssembly, on the calling thread: in a page's worker, or in Node where no native
 * library is available. Its memory is separate, so feeds and outputs are copied.
 */
import { writeModel, type Model, type NumericTensor } from '@skein/onnx';
import { env, InferenceSession, Tensor as OrtTensor } from 'onnxruntime-web/wasm';
import type { Backend, BackendOptions, OpenGraph, Tensors } from './backend.ts';
import { carrier, failure, received } from './carried.ts';

/** Only fatal messages are logged: errors are thrown. */
const FATAL = 4;
const carried = carrier(OrtTensor);
const RUN_OPTIONS: InferenceSession.RunOptions = { logSeverityLevel: FATAL };

export const wasmBackend: Backend = {
  name: 'wasm',
  async open(model: Model, { threads = 1 }: BackendOptions = {}): Promise<OpenGraph> {
    // The first session to be opened sets up the module, once.
    env.logLevel = 'fatal';
    env.wasm.numThreads = globalThis.crossOriginIsolated ? threads : 1;
    let session: InferenceSession;
    try {
      session = await InferenceSession.create(writeModel(model), {
        executionProviders: ['wasm'],
        graphOptimizationLevel: 'all',
        logSeverityLevel: FATAL,
      });
    } catch (error) {
      throw failure('load', error);
    }
    return {
      async run(feeds: Tensors, into: Tensors = new Map()): Promise<Tensors> {
        const given: Record<string, OrtTensor> = {};
        for (const [name, tensor] of feeds) given[name] = carried(name, tensor);
        try {
          const results = await session.run(given, session.outputNames, RUN_OPTIONS);
          const fresh = new Map<string, NumericTensor>();
          for (const name of session.outputNames) {
            const result = received(results[name]!);
            const target = into.get(name);
            if (target === undefined) fresh.set(name, result);
            else if (target.bytes.byteLength === result.bytes.byteLength)
              target.bytes.set(result.bytes);
            else
              throw new Error(
                `Output '${name}' has the shape [${result.shape.join(', ')}], not [${target.shape.join(', ')}].`,
              );
          }
          return fresh;
        } catch (error) {
          throw failure('run', error);
        }
      },
      close: () => session.release(),
    };
  },
};
