/** Requests of a caller with a key, as large as the node takes them and as awkward as they can be. */
import { DATATYPES, type Echo } from './echoes.ts';
import { field, varint } from './grpc-wire.ts';

/** Bytes of the tensor: the most of a message, less the rest of the message. */
const SIZE = 64 * 1024 * 1024 - 4096;
const MILLION = 1 << 20;
/** The most strings of a tensor. */
const MAX_STRINGS = 1 << 17;

interface HostileRequest {
  readonly name: string;
  readonly message: () => Buffer;
  readonly gzip?: boolean;
}

export const HOSTILE_MESSAGES: readonly HostileRequest[] = [
  { name: 'raw floats', message: () => infer('floats', SIZE / 4, { raw: Buffer.alloc(SIZE) }) },
  { name: 'raw bools', message: () => infer('bools', SIZE, { raw: Buffer.alloc(SIZE, 1) }) },
  {
    name: 'a million raw strings',
    message: () => infer('strings', MILLION, { raw: Buffer.alloc(4 * MILLION) }),
  },
  {
    name: '131,072 raw strings',
    message: () => infer('strings', MAX_STRINGS, { raw: Buffer.alloc(4 * MAX_STRINGS) }),
  },
  {
    name: '131,072 strings one by one',
    message: () => infer('strings', MAX_STRINGS, { contents: repeat([0x42, 0], MAX_STRINGS) }),
  },
  {
    name: 'one raw string of 64 MiB',
    message: () => infer('strings', 1, { raw: textOf(SIZE - 4) }),
  },
  { name: 'packed floats', message: () => infer('floats', SIZE / 4, { list: 6, packed: SIZE }) },
  {
    name: 'floats one by one',
    message: () =>
      infer('floats', 13_000_000, { contents: repeat([0x35, 0, 0, 0, 0], 13_000_000) }),
  },
  { name: 'packed varints', message: () => infer('wide', SIZE, { list: 3, packed: SIZE }) },
  {
    name: 'varints one by one',
    message: () => infer('wide', SIZE / 2, { contents: repeat([0x18, 0], SIZE / 2) }),
  },
  {
    name: 'a million strings one by one',
    message: () => infer('strings', MILLION, { contents: repeat([0x42, 0], MILLION) }),
  },
  {
    name: 'strings beyond their number',
    message: () => infer('strings', MILLION, { contents: repeat([0x42, 0], SIZE / 2) }),
  },
  {
    name: 'empty lists',
    message: () => infer('wide', 1, { contents: repeat([0x1a, 0], SIZE / 2) }),
  },
  { name: 'inputs without end', message: () => repeat([0x2a, 0], SIZE / 2) },
  { name: 'outputs without end', message: () => repeat([0x32, 0], SIZE / 2) },
  { name: 'raw contents without end', message: () => repeat([0x3a, 0], SIZE / 2) },
  { name: 'parameters without end', message: () => repeat([0x22, 0], SIZE / 2) },
  { name: 'names without end', message: () => repeat([0x0a, 0], SIZE / 2) },
  { name: 'unknown fields', message: () => repeat([0xa0, 0x06, 1], SIZE / 3) },
  { name: 'unknown groups, one after the other', message: () => repeat([0x7b, 0x7c], SIZE / 2) },
  { name: 'unknown groups, one in the other', message: () => Buffer.alloc(SIZE, 0x7b) },
  {
    name: 'a number that never ends',
    message: () => Buffer.concat([varint(120), Buffer.alloc(SIZE, 0xff)]),
  },
  { name: 'a name of 64 MiB', message: () => field(1, Buffer.alloc(SIZE, 'x')) },
  { name: 'an id of 64 MiB', message: () => field(3, Buffer.alloc(SIZE, 'x')) },
  { name: 'a parameter of 64 MiB', message: () => field(4, field(1, Buffer.alloc(SIZE, 'x'))) },
  {
    name: 'parameters in a parameter',
    message: () => field(4, field(2, repeat([0x0a, 0], SIZE / 2))),
  },
  { name: 'a shape of 64 MiB', message: () => field(5, field(3, Buffer.alloc(SIZE, 1))) },
  {
    name: 'raw floats, compressed',
    gzip: true,
    message: () => infer('floats', SIZE / 4, { raw: Buffer.alloc(SIZE) }),
  },
  {
    name: 'unknown fields, compressed',
    gzip: true,
    message: () => repeat([0xa0, 0x06, 1], SIZE / 3),
  },
];

interface Values {
  readonly raw?: Uint8Array;
  readonly contents?: Uint8Array;
  /** Number of the list in the contents, and its bytes. */
  readonly list?: number;
  readonly packed?: number;
}

function infer(model: Echo, elements: number, values: Values): Buffer {
  const { raw, list, packed } = values;
  const contents =
    values.contents ?? (list === undefined ? undefined : field(list, Buffer.alloc(packed ?? 0)));
  const tensor = Buffer.concat([
    field(1, Buffer.from('x')),
    field(2, Buffer.from(DATATYPES[model])),
    field(3, varint(elements)),
    ...(contents === undefined ? [] : [field(5, contents)]),
  ]);
  return Buffer.concat([
    field(1, Buffer.from(model)),
    field(5, tensor),
    ...(raw === undefined ? [] : [field(7, raw)]),
  ]);
}

function textOf(bytes: number): Buffer {
  const raw = Buffer.alloc(4 + bytes, 'x');
  raw.writeUInt32LE(bytes);
  return raw;
}

function repeat(bytes: readonly number[], times: number): Buffer {
  return Buffer.alloc(bytes.length * Math.floor(times), Buffer.from(bytes));
}
