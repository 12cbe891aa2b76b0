/**
 * Files that a training reads: arrays, archives of arrays, tables, checkpoints, records of runs.
 */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { values, elementCount, type NumericTensor } from '@skein/onnx';
import {
  parseNpy,
  parseNpz,
  readCsv,
  readIdx,
  readJsonLines,
  readNpy,
  readParquet,
  readSafetensors,
  readTensors,
  TrainError,
  writeTensors,
} from '@skein/train';
import { bytesInput } from '../engine/bytes.ts';
import type { Target } from '../engine/target.ts';

const isTrainError = (error: unknown) => error instanceof TrainError;

const NUMPY = JSON.parse(
  readFileSync(
    new URL('../../../packages/train/src/data/formats/fixtures/numpy.json', import.meta.url),
    'utf8',
  ),
) as {
  readonly cases: readonly { readonly npy: string }[];
  readonly archives: readonly { readonly npz: string }[];
};
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));

export function openArrays(): Target {
  const idx = Buffer.concat([
    Buffer.from([0, 0, 0x0b, 2, 0, 0, 0, 2, 0, 0, 0, 3]),
    Buffer.alloc(12, 7),
  ]);
  return {
    seeds: [
      ...NUMPY.cases.map(({ npy }) => bytesOf(npy)),
      ...NUMPY.archives.map(({ npz }) => bytesOf(npz)),
      idx,
      new Uint8Array(gzipSync(idx)),
    ],
    structure: bytesInput([
      "'descr': '<f4'",
      "'fortran_order': True",
      "'shape': (",
      ',',
      '0',
      '99999999999',
      '>U8',
      '|S3',
      '\x93NUMPY\x01\x00',
      'PK\x05\x06',
      'PK\x06\x07',
    ]),
    refuses: isTrainError,
    async run(input) {
      // The first reader that accepts it counts.
      let refusal: unknown;
      for (const read of READERS) {
        try {
          for (const array of await read(input)) assertFilled(array);
          return;
        } catch (error) {
          if (!isTrainError(error)) throw error;
          refusal = error;
        }
      }
      throw refusal;
    },
  };
}

const READERS: readonly ((input: Uint8Array) => Promise<Iterable<NumericTensor>>)[] = [
  async (input) => [parseNpy(input)],
  async (input) => (await parseNpz(input)).values(),
  async (input) => [await readIdx(input)],
];

function assertFilled(array: NumericTensor): void {
  if (values(array).length !== elementCount(array.shape)) {
    throw new Error(`${array.bytes.length} bytes in [${array.shape}]`);
  }
}

/**
 * `--input NAME=FILE.npy`: any error is shown to the user who typed it, so only its cost counts.
 */
export function openNpyInputs(): Target {
  return {
    seeds: NUMPY.cases.map(({ npy }) => bytesOf(npy)),
    structure: bytesInput([
      "'descr': '<f4'",
      "'fortran_order': True",
      "'shape': (",
      ',',
      '0',
      '9999999999',
      '>U8',
      '|S3',
      '<U0',
      '|S0',
    ]),
    refuses: isTrainError,
    run(input) {
      const array = readNpy(input);
      if (array.type !== 'string') assertFilled(array);
    },
  };
}

export function openTables(): Target {
  const texts = [
    'a,b\n1,x\n2,"y ""z"", w"\r\n3,\n',
    'a;b\n"1;2";3\n',
    '{"a":1,"b":"x"}\n{"a":2,"b":null}\n',
    '\ufeffname,value\n',
  ];
  return {
    seeds: [...texts.map((text) => Buffer.from(text)), new Uint8Array(gzipSync(texts[0]!))],
    structure: bytesInput([
      ',',
      '"',
      '""',
      '\n',
      '\r\n',
      '\xef\xbb\xbf',
      'NA',
      '1e999',
      '{',
      '}',
      '"a":',
      '__proto__',
      '\\u0000',
    ]),
    refuses: isTrainError,
    async run(input) {
      const isJson = input[0] === 0x7b;
      const table = isJson
        ? await readJsonLines(input, { missing: 'keep' })
        : await readCsv(input, { missing: 'keep' });
      for (const column of table.columns) {
        const count = column.kind === 'number' ? column.values.length : column.codes.length;
        if (count !== table.count) throw new Error(`${count} values in ${table.count} rows`);
      }
    },
  };
}

export function openParquet(): Target {
  const fixture = (name: string) =>
    new Uint8Array(
      readFileSync(
        new URL(
          `../../../packages/train/src/data/formats/fixtures/${name}.parquet`,
          import.meta.url,
        ),
      ),
    );
  return {
    seeds: [
      ...['snappy', 'zstd', 'gzip', 'uncompressed', 'v2', 'runs', 'runs-v2'].map(
        (kind) => `people-${kind}`,
      ),
      'prefixes-v1',
      'prefixes-v2',
      'unsigned-uncompressed',
      'unsigned-snappy',
    ].map(fixture),
    // The library takes the sizes that a page's header states.
    bounds: { memoryBytes: 2 ** 30 },
    structure: bytesInput(['PAR1', '\x15\x00', '\xff\xff\xff\xff\x0f', '\x1f\x8b']),
    refuses: isTrainError,
    async run(input) {
      await readParquet(
        {
          byteLength: input.byteLength,
          slice: (start, end) => new Uint8Array(input).slice(start, end).buffer,
        },
        { missing: 'keep' },
      );
    },
  };
}

/** The digest of a checkpoint is corrected, so that the code after its check is reached. */
export async function openCheckpoints(): Promise<Target> {
  const tensors = new Map<string, NumericTensor>([
    ['w', { type: 'float32', shape: [2, 2], bytes: new Uint8Array(16) }],
    ['n', { type: 'int64', shape: [], bytes: new Uint8Array(8) }],
  ]);
  const seed = await writeTensors({ tensors, metadata: { plan: '{"seed":1}', progress: '{}' } });
  return {
    seeds: [seed],
    structure: bytesInput([
      '"F32"',
      '"U8"',
      '"BOOL"',
      '"shape":[',
      '[0,',
      '-1',
      '1e9',
      '9007199254740993',
      'null',
      '{}',
      '[]',
      '__metadata__',
      '"data_offsets":',
    ]),
    refuses: isTrainError,
    async run(input) {
      for (const tensor of readSafetensors(input).tensors.values()) assertFilled(tensor);
      const { tensors } = await readTensors(input);
      for (const tensor of tensors.values()) assertFilled(tensor);
    },
  };
}
