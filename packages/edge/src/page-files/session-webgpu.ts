/** The worker of a session on the graphics processor. */
import { openWebSession } from '@skein/runtime/web-session';
import { env, InferenceSession } from 'onnxruntime-web/webgpu';
import { serveSession } from './serve-session.ts';

const fileAt = (file: string): string => new URL(file, import.meta.url).href;

serveSession(
  async () => {
    env.logLevel = 'fatal';
    env.wasm.numThreads = 1;
    env.wasm.wasmPaths = {
      mjs: fileAt('ort-wasm-simd-threaded.asyncify.mjs'),
      wasm: fileAt('ort-wasm-simd-threaded.asyncify.wasm'),
    };
    await InferenceSession.create(new Uint8Array());
  },
  (model) => openWebSession((...given) => InferenceSession.create(...given), model, 'webgpu'),
);
