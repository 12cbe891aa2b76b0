/**
 * The server's side of a plan's strategy: the state that it keeps between rounds, as an artifact.
 *
 *   length of the header, u32 │ header, JSON │ parameters, float32 │ slots, float32 …
 */
import { readModel } from '@skein/onnx';
import { problemOf } from '@skein/train';
import { federatedModel, flatten, type ServerState, type Strategy } from '@skein/train/federated';
import { utf8 } from '@skein/api/canonical';

/** Before the first round: the parameters of the model as it is. @throws OnnxError, TrainError. */
export function firstState(strategy: Strategy, model: Uint8Array<ArrayBuffer>): ServerState {
  const { graded } = problemOf(readModel(model), { batch: 1 });
  const { layout, step } = federatedModel(graded, strategy.site);
  return strategy.initial(flatten(layout, step.initial));
}

export function writeState({ round, parameters, slots }: ServerState): Uint8Array<ArrayBuffer> {
  const names = Object.keys(slots).toSorted();
  const header = utf8(JSON.stringify({ round, length: parameters.length, slots: names }));
  const numbers = [parameters, ...names.map((name) => slots[name]!)];
  const bytes = new Uint8Array(4 + header.length + 4 * parameters.length * numbers.length);
  new DataView(bytes.buffer).setUint32(0, header.length, true);
  bytes.set(header, 4);
  numbers.forEach((each, i) =>
    bytes.set(bytesOf(each), 4 + header.length + 4 * parameters.length * i),
  );
  return bytes;
}

export function readState(bytes: Uint8Array<ArrayBuffer>): ServerState {
  const end = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, end))) as {
    readonly round: number;
    readonly length: number;
    readonly slots: readonly string[];
  };
  const { round, length } = header;
  const numbers = (i: number): Float32Array =>
    new Float32Array(bytes.slice(end + 4 * length * i, end + 4 * length * (i + 1)).buffer);
  const slots = Object.fromEntries(header.slots.map((name, i) => [name, numbers(i + 1)]));
  return { round, parameters: numbers(0), slots };
}

/** A copy of the memory of the numbers, little-endian as all machines are that Skein runs on. */
export function bytesOf(numbers: Float32Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength).slice();
}
