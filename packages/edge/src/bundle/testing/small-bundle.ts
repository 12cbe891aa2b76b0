/** A publisher's place with one small bundle, packed on the backends of this machine. */
import { mlp, seededRandom, tensorPlaces, writeModel } from '@skein/onnx';
import { nativeRuntime } from '@skein/runtime';
import { wasmRuntime } from '@skein/runtime/wasm';
import { createRoot, type Place } from '../../trust/publish.ts';
import type { Bytes } from '../../trust/source.ts';
import { memoryPlace, type MemoryPlace } from '../../trust/testing/memory-place.ts';
import { keysFor, NOW } from '../../trust/testing/publisher.ts';
import { packBundle, type Packed, type PackOptions } from '../pack.ts';

/** @param seed of the weights: another seed is another model. */
export function smallModel(seed: number, hidden = 16): Bytes {
  return new Uint8Array(writeModel(mlp({ sizes: [4, hidden, 3], seed })));
}

/** The model with weights that differ a little, as after more training. */
export function retrained(model: Bytes, seed: number): Bytes {
  const random = seededRandom(seed);
  const next = model.slice();
  const view = new DataView(next.buffer);
  for (const { type, at, length } of tensorPlaces(next)) {
    if (type !== 'float32') continue;
    for (let i = at; i < at + length; i += 4) {
      view.setFloat32(i, view.getFloat32(i, true) * (1 + 1e-4 * random.next()), true);
    }
  }
  return next;
}

export const RUNTIMES = { native: nativeRuntime, wasm: wasmRuntime };

export interface SmallPublisher {
  readonly place: MemoryPlace;
  readonly root: Bytes;
  readonly keys: PackOptions['keys'];
  pack(model: Bytes, change?: Partial<PackOptions>, place?: Place): Promise<Packed>;
}

export async function smallPublisher(): Promise<SmallPublisher> {
  const keys = await keysFor();
  const place = memoryPlace();
  const root = await createRoot(place, keys, NOW);
  return {
    place,
    root,
    keys,
    pack: (model, change = {}, to = place) =>
      packBundle(to, {
        keys,
        name: 'risk',
        variants: [{ name: 'fp32', model }],
        source: { name: 'risk.onnx', model },
        runtimes: RUNTIMES,
        runtimeVersion: '1.30.0',
        machine: 'test',
        offload: { allowed: true },
        licence: 'Apache-2.0',
        tool: 'skein 0.1.0',
        now: NOW,
        ...change,
      }),
  };
}
