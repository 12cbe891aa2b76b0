/**
 * A session of any build of onnxruntime-web, on the calling thread. A fault of the WebAssembly instance, such as
 * memory that it cannot get, leaves the instance unusable: the session is then lost.
 */
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-common';
import type { Signature, Tensor, TensorMap } from '@skein/onnx';
import { RuntimeFailure, type RunResult, type Session } from '../contract.ts';
import { checkFit } from '../fit.ts';
import { fromOrt, signatureFrom, toOrt } from '../ort-tensor.ts';
import { explain } from '../reason.ts';

const RUN_OPTIONS: InferenceSession.RunOptions = { logSeverityLevel: 4 };

/** @throws RuntimeFailure `load`, `memory`. */
export async function openWebSession(
  create: (
    model: Uint8Array,
    options: InferenceSession.SessionOptions,
  ) => Promise<InferenceSession>,
  model: Uint8Array,
  provider: 'wasm' | 'webgpu',
): Promise<Session> {
  let session: InferenceSession;
  let signature: Signature;
  try {
    session = await create(model, {
      executionProviders: [provider],
      graphOptimizationLevel: 'all',
      logSeverityLevel: 4,
    });
    signature = signatureFrom(session);
  } catch (error) {
    throw failure('load', error);
  }
  return openSession(session, signature);
}

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

export function failure(kind: 'load' | 'run', error: unknown): RuntimeFailure {
  if (error instanceof RuntimeFailure) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const isBroken = error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
  const isFull = /bad_alloc|out of memory/i.test(reason);
  return new RuntimeFailure(
    isFull ? 'memory' : isBroken && kind === 'run' ? 'lost' : kind,
    explain(reason),
    { cause: error },
  );
}
