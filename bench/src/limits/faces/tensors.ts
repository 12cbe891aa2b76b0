/** Tensors in binary form: after a JSON header over HTTP, and in messages of gRPC. */
import { gzipSync } from 'node:zlib';
import type { Face, Sent } from '../face.ts';
import { type Echo, DATATYPES, ECHOES } from '../echoes.ts';
import {
  endSession,
  field,
  frame,
  MODEL_INFER,
  openSession,
  request,
  varint,
} from '../grpc-wire.ts';
import { post } from '../http-request.ts';
import { anything, type Json, MIB, pick, type Random, repeat, size } from './grammar.ts';

/** Bytes of the tensors: the most of a request, less the rest of it. */
const TENSOR_BYTES = 64 * MIB - 2 * MIB;
const BYTES_OF: Record<Echo, number> = { floats: 4, strings: 4, bools: 1, wide: 8 };
const NAMES = Object.keys(ECHOES) as Echo[];

function binary(random: Random): Sent {
  const echo = pick(random, NAMES);
  const what = pick(random, ['elements', 'inputs', 'outputs', 'parameters', 'shape', 'raw']);
  const count = size(random, echo === 'strings' ? 65_536 : TENSOR_BYTES / BYTES_OF[echo]);
  const tensors = what === 'inputs' ? size(random, 4000) : 1;
  const each = Math.max(1, Math.floor(count / tensors));
  const bytes = Buffer.alloc(tensors * each * BYTES_OF[echo]);
  const input = (name: string): Record<string, Json> => ({
    name,
    datatype: DATATYPES[echo],
    shape: what === 'shape' ? [...repeat(size(random, 31), () => 1), each] : [each],
    parameters: { binary_data_size: each * BYTES_OF[echo] },
  });
  const inputs = repeat(tensors, (index) => input(index === 0 ? 'x' : `x${index}`));
  const header = JSON.stringify({
    inputs,
    parameters:
      what === 'parameters' ? anything(random, 8 * MIB) : { binary_data_output: random() < 0.5 },
    ...(what === 'outputs' ? { outputs: anything(random, 8 * MIB) } : {}),
  });
  const length = what === 'raw' ? 0 : Buffer.byteLength(header);
  const body = what === 'raw' ? bytes : Buffer.concat([Buffer.from(header), bytes]);
  return post(`${what} of ${echo}`, `/v2/models/${echo}/infer`, body, {
    'inference-header-content-length': `${length}`,
  });
}

/** Numbers of the fields of a request, which may be repeated without end. */
const FIELDS = [1, 2, 3, 4, 5, 6, 7, 8, 15, 100];
/** Numbers of the lists in the contents of a tensor. */
const LISTS = [1, 2, 3, 4, 5, 6, 7, 8];

function message(random: Random): readonly [what: string, message: Buffer] {
  const echo = pick(random, NAMES);
  const what = pick(random, [
    'raw',
    'packed',
    'one by one',
    'field',
    'groups',
    'entries',
    'inputs',
  ]);
  const filling = Buffer.from([pick(random, [0, 1, 0x7f, 0x80, 0xff])]);
  const bytes = size(random, TENSOR_BYTES);
  const list = pick(random, LISTS);
  const tensor = (elements: number, contents: Uint8Array = Buffer.alloc(0)): Buffer =>
    field(
      5,
      Buffer.concat([
        field(1, Buffer.from('x')),
        field(2, Buffer.from(DATATYPES[echo])),
        field(3, varint(elements)),
        contents,
      ]),
    );
  const repeated = (part: Buffer): Buffer =>
    Buffer.alloc(part.length * Math.max(1, Math.floor(bytes / part.length)), part);
  const elements = Math.max(1, Math.floor(bytes / BYTES_OF[echo]));
  const parts = {
    raw: () => [tensor(elements), field(7, Buffer.alloc(elements * BYTES_OF[echo], filling))],
    packed: () => [tensor(elements, field(5, field(list, Buffer.alloc(bytes, filling))))],
    'one by one': () => {
      const item = field(list, Buffer.alloc(size(random, 8), filling));
      return [tensor(Math.floor(bytes / item.length), field(5, repeated(item)))];
    },
    field: () => [repeated(field(pick(random, FIELDS), Buffer.alloc(size(random, bytes))))],
    groups: () => [repeated(Buffer.from(pick(random, [[0x7b], [0x7b, 0x7c]])))],
    entries: () => {
      const value = field(2, field(pick(random, LISTS), Buffer.alloc(size(random, 100), filling)));
      const entry = Buffer.concat([field(1, Buffer.from(`k${pick(random, ['', 'k'])}`)), value]);
      return [tensor(1, repeated(field(4, entry)))];
    },
    inputs: () => [repeated(tensor(1))],
  }[what]!();
  return [`${what} of ${echo}`, Buffer.concat([field(1, Buffer.from(echo)), ...parts])];
}

/** @param headers in addition to the key. @returns the status of the call. */
export function call(what: string, bytes: Buffer, gzip: boolean): Sent {
  const body = gzip ? frame(gzipSync(bytes, { level: 1 }), true) : frame(bytes);
  return {
    what,
    bytes: body.length,
    async send({ node: { target, key } }) {
      const session = openSession(target, MIB);
      const headers = {
        authorization: `Bearer ${key}`,
        ...(gzip ? { 'grpc-encoding': 'gzip' } : {}),
      };
      const status = await request(session, MODEL_INFER, body, headers);
      await endSession(session);
      return `${status}`;
    },
  };
}

export const tensorFaces: readonly Face[] = [
  { name: 'binary', hasTenant: true, make: binary },
  {
    name: 'grpc',
    hasTenant: true,
    make: (random) => call(...message(random), random() < 0.1),
  },
];
