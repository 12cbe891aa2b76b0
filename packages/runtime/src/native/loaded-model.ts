/**
 * A model that ONNX Runtime holds for the calling thread, with Skein's tensors on both sides. Loading and runs block.
 *
 * It imports few modules: each adds to a replica's cold start.
 */
import type { Signature, Tensor } from '@skein/onnx';
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { RunTimes } from '../contract.ts';
import { fromOrt, signatureFrom, toOrt } from '../ort-tensor.ts';
import { openBlockingSession } from './blocking-session.ts';
import { packedGraph } from './packed-graph.ts';
import type { LoadRequest } from './wire.ts';

export interface LoadedModel {
  readonly signature: Signature;
  /**
   * @param outputs names to return; all when absent.
   * @throws Error with ONNX Runtime's message, or when the outputs take more than they may.
   */
  run(
    feeds: Iterable<readonly [name: string, tensor: Tensor]>,
    outputs?: readonly string[],
  ): BlockingRun;
  /** Gives back its memory. */
  release(): void;
}

/** A run whose outputs are in the order in which they were named. */
export interface BlockingRun extends RunTimes {
  readonly outputs: readonly Tensor[];
}

/** @throws Error with ONNX Runtime's message. */
export function loadModel({
  model,
  device,
  threads,
  maxMemoryBytes,
  maxOutputBytes = Infinity,
}: LoadRequest): LoadedModel {
  const packed = 'path' in model ? packedGraph(model.path) : undefined;
  const options: InferenceSession.SessionOptions = {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Spinning threads start work within microseconds, but the default of a millisecond takes the
    // cores from other work between runs: 2.6 ms of CPU for a 0.3 ms run, against 0.6 ms with this
    // setting.
    extra: {
      session: {
        intra_op: { spin_duration_us: '20' },
        ...(packed && { model_external_initializers_file_folder_path: packed.folder }),
      },
    },
    // After a request for too much, the arena takes all the memory that the bound leaves, and the
    // next run has none for its own books.
    enableCpuMemArena: maxMemoryBytes === undefined,
  };
  const source = packed?.bytes ?? ('path' in model ? model.path : model.bytes);
  const session = openBlockingSession(source, options);
  const signature = signatureFrom(session);
  const outputNames = signature.outputs.map(({ name }) => name);
  const allOutputs = fetchesOf(outputNames);
  return {
    signature,
    run(given, names) {
      const takenAt = performance.now();
      const feeds: Record<string, OrtTensor> = {};
      for (const [name, tensor] of given) feeds[name] = toOrt(name, tensor);
      const fetches = names === undefined ? allOutputs : fetchesOf(names);
      const startedAt = performance.now();
      const results = session.run(feeds, fetches);
      const ranAt = performance.now();
      let bytes = 0;
      const outputs = (names ?? outputNames).map((name) => {
        const output = fromOrt(results[name]!);
        bytes += sizeOf(output);
        if (bytes > maxOutputBytes) {
          throw new Error(`The outputs take more than ${maxOutputBytes} bytes.`);
        }
        return output;
      });
      const outputMs = performance.now() - ranAt;
      return { outputs, inputMs: startedAt - takenAt, computeMs: ranAt - startedAt, outputMs };
    },
    release: () => session.release(),
  };
}

function fetchesOf(names: readonly string[]): Readonly<Record<string, null>> {
  return Object.fromEntries(names.map((name) => [name, null]));
}

function sizeOf(tensor: Tensor): number {
  if (tensor.type !== 'string') return tensor.bytes.byteLength;
  return tensor.elements.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
