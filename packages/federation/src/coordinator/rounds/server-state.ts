/**
 * The server's side of a plan's strategy: the state that it keeps between rounds, as an artifact, which
 * is read and written in blocks. A strategy takes each number alone, so that no more of it is needed.
 *
 *   length of the header, u32 │ header, JSON │ parameters, float32 │ slots, float32 …
 *
 * What sites train from is the beginning of its numbers: the parameters, and with SCAFFOLD the control variate.
 */
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { readModel } from '@skein/onnx';
import { problemOf } from '@skein/train';
import {
  federatedModel,
  flatten,
  type FederationWeight,
  type ServerState,
  type Strategy,
} from '@skein/train/federated';
import { utf8 } from '@skein/api/canonical';
import type { Plan } from '../../plan/plan.ts';
import { strategyOfPlan } from '../../plan/strategy.ts';
import { scoredColumns } from '../../statistics/scored-columns.ts';
import { countsIn } from '../../statistics/layout.ts';
import type { Payload } from '../../transport/chunks.ts';
import type { RoundSum } from '../aggregation/aggregator.ts';
import { usedBytes } from '../storage/garbage.ts';
import { payloadOfContent, rangeOf } from '../storage/content.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Numbers of a block. */
const BLOCK = 2 ** 15;

interface Header {
  readonly round: number;
  /** Numbers of each vector. */
  readonly length: number;
  readonly slots: readonly string[];
}

export interface StoredState extends Header {
  /** Where the numbers begin. */
  readonly numbersAt: number;
  readonly payload: Payload;
}

/** Before the first round: the parameters of the model as it is; counts of zero where none is trained. @throws OnnxError, TrainError. */
export function firstState(plan: Plan, model: Uint8Array<ArrayBuffer>): ServerState {
  const strategy = strategyOfPlan(plan);
  const counts = countsIn(plan);
  if (counts !== undefined) {
    const isScored = counts.tables.flat().some(({ kind }) => kind === 'score');
    if (isScored) scoredColumns(readModel(model), plan);
    return strategy.initial(new Float32Array(plan.model.parameters));
  }
  const { graded } = problemOf(readModel(model), { batch: 1 });
  const { layout, step } = federatedModel(graded, strategy.site);
  return strategy.initial(flatten(layout, step.initial));
}

export function writeState({ round, parameters, slots }: ServerState): Bytes {
  const names = Object.keys(slots).toSorted();
  const head = writeHead({ round, length: parameters.length, slots: names });
  const numbers = [parameters, ...names.map((name) => slots[name]!)];
  const bytes = new Uint8Array(head.length + 4 * parameters.length * numbers.length);
  bytes.set(head);
  numbers.forEach((each, i) => bytes.set(bytesOf(each), head.length + 4 * parameters.length * i));
  return bytes;
}

function writeHead(header: Header): Bytes {
  const text = utf8(JSON.stringify(header));
  const head = new Uint8Array(4 + text.length);
  new DataView(head.buffer).setUint32(0, text.length, true);
  head.set(text, 4);
  return head;
}

export async function openState(payload: Payload): Promise<StoredState> {
  const size = new Uint8Array(4);
  await payload.readInto(size, 0);
  const text = new Uint8Array(new DataView(size.buffer).getUint32(0, true));
  await payload.readInto(text, 4);
  const header = readJson(text, JSON_BOUNDS.stored) as Header;
  return { ...header, numbersAt: 4 + text.length, payload };
}

/** The broadcast that sites train from: float32, [vectors × length]. */
export function broadcastOf(
  { numbersAt, length, payload }: StoredState,
  { vectors }: Strategy['site'],
): Promise<Payload> {
  return payloadOfContent(rangeOf(payload, numbersAt, numbersAt + 4 * length * vectors));
}

export interface StateStep {
  readonly strategy: Strategy;
  readonly before: StoredState;
  readonly sum: RoundSum;
  /** See `Strategy.apply`. */
  readonly of?: FederationWeight | undefined;
  /** The file that the next state is written to. */
  readonly path: string;
}

/**
 * Writes the next state, block by block.
 * @returns the bytes of the file, and where its parameters are in it.
 * @throws TrainError of the strategy, and errors of the disk.
 */
export async function stepState({ strategy, before, sum, of, path }: StateStep): Promise<{
  readonly bytes: number;
  readonly parameters: { readonly start: number; readonly end: number };
}> {
  const { round, length, slots } = before;
  const head = writeHead({ round: round + 1, length, slots });
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, 'w', 0o600);
  const position = (vector: number, at: number): number => head.length + 4 * (length * vector + at);
  const readBlock = blockReader(before);
  try {
    await file.write(head, 0, head.length, 0);
    for (let from = 0; from < length; from += BLOCK) {
      const to = Math.min(length, from + BLOCK);
      const block = await readBlock(from, to);
      const next = strategy.apply(block, await sum.read(from, to), sum.weight, of);
      const numbers = [next.parameters, ...slots.map((name) => next.slots[name]!)];
      for (const [vector, each] of numbers.entries()) {
        await file.write(bytesOf(each), 0, each.byteLength, position(vector, from));
        usedBytes(each.byteLength);
      }
    }
  } finally {
    await file.close();
  }
  const parameters = { start: head.length, end: head.length + 4 * length };
  return { bytes: position(1 + slots.length, 0), parameters };
}

/** @returns reads numbers `from` to `to` of each vector of a state, into the memory of the block before. */
function blockReader({ round, length, slots, numbersAt, payload }: StoredState) {
  const memory = [0, ...slots].map(() => new Float32Array(Math.min(BLOCK, length)));
  return async (from: number, to: number): Promise<ServerState> => {
    const numbers = memory.map((each) => each.subarray(0, to - from));
    for (const [vector, each] of numbers.entries()) {
      await payload.readInto(bytesOf(each), numbersAt + 4 * (length * vector + from));
    }
    const [parameters, ...others] = numbers;
    const named = Object.fromEntries(slots.map((name, at) => [name, others[at]!]));
    return { round, parameters: parameters!, slots: named };
  };
}

/** The memory of the numbers, little-endian as all machines are that Skein runs on. */
export function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Bytes {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
