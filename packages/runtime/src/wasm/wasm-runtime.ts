/**
 * ONNX Runtime in WebAssembly, for pages, web workers, and Node on platforms without a native
 * library. It blocks the calling thread during a run; a caller that cannot accept that uses a
 * worker.
 *
 * Threads need shared memory, which a page has only when it is cross-origin isolated; otherwise,
 * and in Node, it computes on one thread.
 */
import { env, InferenceSession } from 'onnxruntime-web/wasm';
import { inlineExternalData, readModel, writeModel, externalTensors } from '@skein/onnx';
import { RuntimeFailure } from '../contract.ts';
import type { ModelSource, Runtime, Session, SessionOptions } from '../contract.ts';
import { failure, openWebSession } from './web-session.ts';

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
    let bytes: Uint8Array;
    try {
      bytes = await bytesOf(model);
    } catch (error) {
      throw failure('load', error);
    }
    return openWebSession((...given) => InferenceSession.create(...given), bytes, 'wasm');
  },
};

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
