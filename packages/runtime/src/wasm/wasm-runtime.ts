/**
 * ONNX Runtime in WebAssembly, for pages, web workers, and Node on platforms without a native
 * library. It blocks the calling thread during a run; a caller that cannot accept that uses a
 * worker.
 *
 * Threads need shared memory, which a page has only when it is cross-origin isolated; otherwise,
 * and in Node, it computes on one thread.
 */
import type { Tensor as OrtTensor } from 'onnxruntime-common';
import { env, InferenceSession } from 'onnxruntime-web/wasm';
import { inlineExternalData, readModel, writeModel, externalTensors } from '@skein/onnx';
import type { Signature, Tensor, TensorMap } from '@skein/onnx';
import { RuntimeFailure } from '../contract.ts';
import type { ModelSource, RunResult, Runtime, Session, SessionOptions } from '../contract.ts';
import { checkFit } from '../fit.ts';
import { fromOrt, signatureFrom, toOrt } from '../ort-tensor.ts';
import { explain } from '../reason.ts';

const RUN_OPTIONS: InferenceSession.RunOptions = { logSeverityLevel: 4 };

export const wasmRuntime: Runtime = {
  name: 'wasm',
  async open(model: ModelSource, { device, threads, isolation }: SessionOptions): Promise<Session> {
    if (device !== 'cpu') {
      throw new RuntimeFailure('unavailable', `The wasm runtime has no device ${device}.`);
    }
    if (isolation === 'process') {
      throw new RuntimeFailure(
        'unavailable',
        'The wasm runtime cannot isolate a session in a process; use the native runtime.',
      );
    }
    // The first session that opens sets the module up, once.
    env.logLevel = 'fatal';
    env.wasm.numThreads = globalThis.crossOriginIsolated ? threads : 1;
    let session: InferenceSession;
    let signature: Signature;
    try {
      session = await InferenceSession.create(await bytesOf(model), {
        executionProviders: ['wasm'],
        graphOptimizationLevel: 'all',
        logSeverityLevel: 4,
      });
      signature = signatureFrom(session);
    } catch (error) {
      throw failure('load', error);
    }
    return openSession(session, signature);
  },
};

function openSession(session: InferenceSession, signature: Signature): Session {
  const inputs = new Set(signature.inputs.map(({ name }) => name));
  const outputNames = signature.outputs.map(({ name }) => name);
  let state: 'idle' | 'running' | 'closed' = 'idle';

  return {
    signature,
    // It lives on the calling thread, so it is never lost.
    lost: new Promise(() => undefined),
    async run(feeds: TensorMap, outputs: readonly string[] = outputNames): Promise<RunResult> {
      if (state === 'closed') throw new RuntimeFailure('lost', 'The session was closed.');
      if (state === 'running') throw new RuntimeFailure('run', 'The session is still running.');
      state = 'running';
      try {
        const takenAt = performance.now();
        const given: Record<string, OrtTensor> = {};
        for (const [name, tensor] of feeds) {
          if (!inputs.has(name)) throw new Error(`The model has no input '${name}'.`);
          checkFit(name, tensor);
          given[name] = toOrt(name, tensor);
        }
        const unknown = outputs.find((name) => !outputNames.includes(name));
        if (unknown !== undefined) throw new Error(`The model has no output '${unknown}'.`);
        const start = performance.now();
        const results = await session.run(given, outputs, RUN_OPTIONS);
        const ranAt = performance.now();
        const named = new Map<string, Tensor>();
        for (const name of outputs) named.set(name, fromOrt(results[name]!));
        const outputMs = performance.now() - ranAt;
        return { outputs: named, inputMs: start - takenAt, computeMs: ranAt - start, outputMs };
      } catch (error) {
        throw failure('run', error);
      } finally {
        if (state === 'running') state = 'idle';
      }
    },
    async close() {
      if (state === 'closed') return;
      state = 'closed';
      await session.release();
    },
  };
}

/** The whole model as one file: WebAssembly cannot read external data from a folder. */
async function bytesOf(source: ModelSource): Promise<Uint8Array> {
  if ('bytes' in source) return source.bytes;
  const bytes = await read(source.path);
  const model = readModel(bytes);
  if (externalTensors(model).length === 0) return bytes;
  const folder = source.path.slice(0, source.path.lastIndexOf('/') + 1);
  await inlineExternalData(model, (location) => read(folder + location));
  return writeModel(model);
}

/** A file in Node, an address elsewhere. */
async function read(path: string): Promise<Uint8Array> {
  // An import of Node's module would be for a bundler of pages to resolve.
  const fs = globalThis.process?.getBuiltinModule?.('node:fs/promises');
  if (fs !== undefined) return fs.readFile(path);
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path} cannot be fetched: HTTP status ${response.status}.`);
  return new Uint8Array(await response.arrayBuffer());
}

function failure(kind: 'load' | 'run', error: unknown): RuntimeFailure {
  if (error instanceof RuntimeFailure) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new RuntimeFailure(kind, explain(reason), { cause: error });
}
