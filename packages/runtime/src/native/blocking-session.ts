/**
 * A session of ONNX Runtime's native library whose runs block the calling thread, and start at once.
 *
 * `onnxruntime-node` puts each run off to another turn of the event loop, and wraps it in four promises. For a thread
 * that has nothing else to do, this costs 15 µs of each run, and 40 µs from a request to its answer. Its JavaScript also
 * takes 1 MiB of each thread. So this module loads the native library alone, as `dist/binding.js` of that package does.
 */
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import '@skein/calls/no-telemetry';
import { elementTypeName } from '@skein/onnx/element-type';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Binding, binding } from 'onnxruntime-node/dist/binding.js';
import type { CarriedTensor } from '../ort-tensor.ts';

type Metadata = InferenceSession.ValueMetadata;

export interface BlockingSession {
  readonly inputMetadata: readonly Metadata[];
  readonly outputMetadata: readonly Metadata[];
  /**
   * @param names of the outputs to compute.
   * @throws Error with ONNX Runtime's message.
   */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    names: Readonly<Record<string, null>>,
  ): Record<string, CarriedTensor>;
  /** Gives back its memory. */
  release(): void;
}

/** Only fatal messages are logged: errors are thrown. */
const FATAL = 4;
const RUN_OPTIONS: InferenceSession.RunOptions = { logSeverityLevel: FATAL };

/** The library makes each output an instance of this class. */
class Output implements CarriedTensor {
  readonly type: Tensor.Type;
  readonly data: Tensor['data'];
  readonly dims: readonly number[];

  constructor(type: Tensor.Type, data: Tensor['data'], dims: readonly number[]) {
    this.type = type;
    this.data = data;
    this.dims = dims;
  }
}

const { binding: library } = createRequire(import.meta.url)('onnxruntime-node/dist/binding.js') as {
  readonly binding: typeof binding;
};
let isReady = false;

/**
 * Blocks for as long as the model loads.
 *
 * @param model a path, or the bytes of a file.
 * @throws Error with ONNX Runtime's message.
 */
export function openBlockingSession(
  model: string | Uint8Array,
  options: InferenceSession.SessionOptions,
): BlockingSession {
  // The logger is one for the whole process.
  if (!isReady) library.initOrtOnce(FATAL, Output as never, isMainThread);
  isReady = true;
  const session = new library.InferenceSession();
  const all = { logSeverityLevel: FATAL, ...options } as const;
  if (typeof model === 'string') session.loadModel(model, all);
  else session.loadModel(model.buffer as ArrayBuffer, model.byteOffset, model.byteLength, all);
  const inputMetadata = session.inputMetadata.map(described);
  return {
    inputMetadata,
    outputMetadata: session.outputMetadata.map(described),
    run(feeds, names) {
      for (const { name } of inputMetadata) {
        if (feeds[name] === undefined) throw new Error(`input '${name}' is missing in 'feeds'.`);
      }
      return session.run(feeds, names, RUN_OPTIONS);
    },
    release: () => session.dispose(),
  };
}

function described({ name, isTensor, type, shape, symbolicDimensions }: Binding.ValueMetadata) {
  if (!isTensor) return { name, isTensor } as const;
  const sizes = shape.map((size, i) => (size === -1 ? symbolicDimensions[i]! : size));
  return { name, isTensor, type: elementTypeName(type) as Tensor.Type, shape: sizes } as const;
}
