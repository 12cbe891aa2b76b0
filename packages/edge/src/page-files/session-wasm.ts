/** The worker of a session in WebAssembly. */
import { openWebSession } from '@skein/runtime/web-session';
import { env, InferenceSession } from 'onnxruntime-web/wasm';
import { serveSession } from './serve-session.ts';

const fileAt = (file: string): string => new URL(file, import.meta.url).href;

serveSession(
  async (threads) => {
    env.logLevel = 'fatal';
    env.wasm.numThreads = threads;
    // Threads start from the module of its own: from this script they would serve sessions too.
    env.wasm.wasmPaths = {
      mjs: fileAt('ort-wasm-simd-threaded.mjs'),
      wasm: fileAt('ort-wasm-simd-threaded.wasm'),
    };
    // There is no other way to start the module without a model: the empty one is refused afterwards.
    await InferenceSession.create(new Uint8Array());
  },
  (model) => openWebSession((...given) => InferenceSession.create(...given), model, 'wasm'),
);
