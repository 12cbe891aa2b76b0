/**
 * Training in ONNX Runtime's native library. Outputs are written straight into the caller's memory:
 * an MLP 784-200-200-10 at batch 10 takes 0.36 ms a step so, and 0.44 ms when they are copied.
 */
import { writeModel, type Model, type NumericTensor } from '@skein/onnx';
import { env, InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { Backend, BackendOptions, OpenGraph, Tensors } from './backend.ts';
import { carrier, failure, received } from './carried.ts';

/** Only what is fatal is logged: errors are thrown. */
const FATAL = 4;
const carried = carrier(OrtTensor);
const RUN_OPTIONS: InferenceSession.RunOptions = { logSeverityLevel: FATAL };

/** Version of ONNX Runtime, for whoever wants to know what a run was computed with. */
export const onnxRuntimeVersion: string = env.versions.node ?? env.versions.common;

export const nativeBackend: Backend = {
  name: 'native',
  async open(model: Model, { threads = 1 }: BackendOptions = {}): Promise<OpenGraph> {
    env.logLevel = 'fatal';
    let session: InferenceSession;
    try {
      session = await InferenceSession.create(writeModel(model), {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
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
        const wanted: Record<string, OrtTensor | null> = {};
        for (const name of session.outputNames) {
          const target = into.get(name);
          wanted[name] = target === undefined ? null : carried(name, target);
        }
        try {
          const results = await session.run(given, wanted, RUN_OPTIONS);
          const fresh = new Map<string, NumericTensor>();
          for (const name of session.outputNames) {
            if (!into.has(name)) fresh.set(name, received(results[name]!));
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
