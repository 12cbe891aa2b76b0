import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  canSend,
  curlOf,
  initialInput,
  tensorOf,
  typeScriptOf,
  type Spec,
} from './tensor-input.ts';

const spec = (type: string, shape: Spec['shape']): Spec => ({ name: 'x', type, shape });

const at = (deployment: string, needsKey = false) => ({
  origin: 'http://node',
  deployment,
  needsKey,
});

it('begins with sizes of 1 for free dimensions, and with zeros for large inputs', () => {
  expect(initialInput(spec('float32', ['batch', 3]))).toEqual({
    shape: '1, 3',
    fill: 'values',
    values: '[0,0,0]',
  });
  expect(initialInput(spec('float32', [null, 3, 224, 224]))).toMatchObject({
    shape: '1, 3, 224, 224',
    fill: 'zeros',
  });
});

it('begins with a file for a text by the name of one', () => {
  const filled = (name: string, type: string, shape: Spec['shape']) =>
    initialInput({ name, type, shape }).fill;
  expect(filled('image', 'string', [1])).toBe('file');
  expect(filled('audio_bytes', 'string', ['batch'])).toBe('file');
  expect(filled('image', 'string', [2])).toBe('values');
  expect(filled('image', 'float32', [1])).toBe('values');
  expect(filled('question', 'string', [1])).toBe('values');
});

it('makes tensors of every type that a page can send', () => {
  const typed = (type: string, values: string) =>
    tensorOf(spec(type, [2]), { shape: '2', fill: 'values', values }).data;
  expect(typed('float32', '[[1.5], [2]]')).toEqual(Float32Array.of(1.5, 2));
  expect(typed('int64', '[1, -2]')).toEqual(BigInt64Array.of(1n, -2n));
  expect(typed('bool', '[true, false]')).toEqual(Uint8Array.of(1, 0));
  expect(typed('string', '["a", 1]')).toEqual(['a', '1']);
  expect(typed('float16', '[1.5, -2]')).toEqual(Uint16Array.of(0x3e00, 0xc000));
  expect(typed('bfloat16', '[1.5, -2]')).toEqual(Uint16Array.of(0x3fc0, 0xc000));
  expect(canSend(spec('complex64', [1]))).toBe(false);
});

it.each([
  ['2, x', '[0,0]', 'x: the shape has "x", which is not a size.'],
  ['2', '[0]', 'x: the shape has 2 elements, and 1 were given.'],
  ['1', '["a"]', 'x: "a" is not a number.'],
  ['1', '[null]', 'x: null is not a number.'],
  ['1', '[" "]', 'x: " " is not a number.'],
  ['1', '[1e400]', 'x: Infinity is not a number.'],
  ['1', '[', /^x: the values are not JSON/],
  ['99999, 99999', '[]', /more than a page sends/],
])('explains why %s with %s is invalid', (shape, values, message) => {
  const read = () => tensorOf(spec('float32', [null]), { shape, fill: 'values', values });
  expect(read).toThrow(message);
});

it.each([
  ['int8', '[300]', 'x: 300 does not fit int8.'],
  ['uint8', '[-1]', 'x: -1 does not fit uint8.'],
  ['int32', '[1.5]', 'x: 1.5 is not a whole number.'],
  ['int64', '[9223372036854775808]', 'x: 9223372036854775808 does not fit int64.'],
  ['float32', '[""]', 'x: "" is not a number.'],
])('takes no other number of %s for %s', (type, values, message) => {
  const read = () => tensorOf(spec(type, [1]), { shape: '1', fill: 'values', values });
  expect(read).toThrow(message);
});

it('keeps 64-bit integers that a double would round, also in the commands', () => {
  const ids = spec('int64', [2]);
  const values = '[9007199254740993, -1]';
  const tensor = tensorOf(ids, { shape: '2', fill: 'values', values });
  expect(tensor.data).toEqual(BigInt64Array.of(9007199254740993n, -1n));
  const sent = [{ spec: ids, tensor, fill: 'values' as const }];
  expect(curlOf(at('ids'), sent)).toContain('"data":[9007199254740993,-1]');
});

it('fills an input of whole numbers at random with more than zeros', () => {
  const { data } = tensorOf(spec('int8', [64]), { shape: '64', fill: 'random', values: '' });
  expect(new Set(data as Int8Array)).toEqual(new Set([0, 1]));
});

it('writes commands that send the same', () => {
  const small = spec('float32', [2]);
  const tensor = tensorOf(small, { shape: '2', fill: 'values', values: '[1, 2.5]' });
  const sent = [{ spec: small, tensor, fill: 'values' as const }];
  expect(curlOf(at("it's"), sent)).toBe(
    `curl -s 'http://node/v2/models/it'\\''s/infer' -H 'content-type: application/json' -d '{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2.5]}]}'`,
  );
  expect(typeScriptOf(at('risk'), sent)).toContain(
    '"x": { shape: [2], data: Float32Array.of(1, 2.5) },',
  );
  const zeros = tensorOf(small, { shape: '2', fill: 'zeros', values: '' });
  const line = curlOf(at('risk'), [{ spec: small, tensor: zeros, fill: 'zeros' }]);
  expect(line).toContain('head -c 8 /dev/zero');
});

it('writes commands that take the key of a node from the environment', () => {
  const tensor = tensorOf(spec('float32', [1]), { shape: '1', fill: 'values', values: '[1]' });
  const sent = [{ spec: spec('float32', [1]), tensor, fill: 'values' as const }];
  expect(curlOf(at('risk', true), sent)).toContain('-H "Authorization: Bearer $SKEIN_KEY"');
  expect(typeScriptOf(at('risk', true), sent)).toContain(
    'createClient({ url: "http://node", key: process.env.SKEIN_KEY })',
  );
});

it('writes no command with a longer argument than a system takes', () => {
  const shape = '40000';
  const many = spec('float32', [null]);
  const values = JSON.stringify(Array.from({ length: 40_000 }, (_, at) => at));
  const sent = [
    {
      spec: many,
      tensor: tensorOf(many, { shape, fill: 'values', values }),
      fill: 'values' as const,
    },
  ];
  const line = curlOf(at('risk'), sent).replace(/\| curl /, '| /bin/echo ');
  expect(execFileSync('sh', { input: line }).toString()).toContain('--data-binary @-');
});

it.each([
  ['float16', 'FP16', 'new Uint16Array(Float16Array.of(1, 2.5).buffer)'],
  ['bfloat16', 'BF16', 'Uint16Array.of(16256, 16416)'],
])('sends %s as numbers in JSON, and as bits in TypeScript', (type, datatype, data) => {
  const half = spec(type, [2]);
  const typed = (values: string) => tensorOf(half, { shape: '2', fill: 'values', values });
  const sent = [{ spec: half, tensor: typed('[1, 2.5]'), fill: 'values' as const }];
  expect(curlOf(at('half'), sent)).toContain(`"datatype":"${datatype}","data":[1,2.5]`);
  const source = typeScriptOf(at('half'), sent);
  expect(source).toContain(`"x": { type: '${type}', shape: [2], data: ${data} },`);
  expect(() => typed('[1, 1e39]')).toThrow(`x: 1e+39 does not fit ${type}.`);
});

describe('a file', () => {
  const bytes = Uint8Array.of(0, 255, 10, 39, ...Array.from({ length: 300 }, (_, i) => i));
  const file = { name: "it's.png", bytes };
  const image = { ...spec('string', ['batch']), name: 'image' };
  const filled = { shape: '1', fill: 'file', values: '[]', file } as const;

  it('is the one element of an input', () => {
    expect(tensorOf(image, filled)).toEqual({ type: 'string', shape: [1], data: [bytes] });
    expect(() => tensorOf(image, { ...filled, shape: '2' })).toThrow(
      'image: a file is one element, and the shape has 2.',
    );
    expect(() => tensorOf(image, { ...filled, file: undefined })).toThrow('no file is chosen');
  });

  it('is sent by the commands as it is, next to typed and generated inputs', async () => {
    const typed = { shape: '2', fill: 'values', values: '[1, 2.5]' } as const;
    const sent = [
      { spec: image, tensor: tensorOf(image, filled), fill: 'file' as const, file },
      { spec: spec('float32', [2]), tensor: tensorOf(spec('float32', [2]), typed), ...typed },
      {
        spec: spec('int64', [2]),
        tensor: tensorOf(spec('int64', [2]), { ...typed, fill: 'zeros' }),
        fill: 'zeros' as const,
      },
    ];
    const folder = await mkdtemp(join(tmpdir(), 'skein-playground-'));
    try {
      await writeFile(join(folder, file.name), bytes);
      const script = curlOf(at('ocr'), sent).replace(/\| curl .*$/s, '');
      const body = execFileSync('sh', ['-c', script], { cwd: folder });
      const length = Number(/content-length: (\d+)/.exec(curlOf(at('ocr'), sent))?.[1]);
      const { inputs } = JSON.parse(body.subarray(0, length).toString()) as {
        inputs: { data?: unknown; parameters?: { binary_data_size: number } }[];
      };
      expect(inputs.map(({ data }) => data)).toEqual([undefined, [1, 2.5], undefined]);
      const sizes = inputs.map(({ parameters }) => parameters?.binary_data_size ?? 0);
      expect(sizes).toEqual([4 + bytes.length, 0, 16]);
      expect(body.readUInt32LE(length)).toBe(bytes.length);
      expect(body.subarray(length + 4, length + sizes[0]!)).toEqual(Buffer.from(bytes));
      expect(body.length).toBe(length + 4 + bytes.length + 16);
    } finally {
      await rm(folder, { recursive: true });
    }
    expect(curlOf(at('ocr'), sent.slice(0, 1))).toBe(
      `curl -s 'http://node/v2/models/ocr/infer' -H 'inference-header-content-length: 0' -H 'accept: application/json' --data-binary '@it'\\''s.png'`,
    );
    expect(typeScriptOf(at('ocr'), sent)).toContain(
      `"image": { shape: [1], data: [await readFile("it's.png")] },`,
    );
  });
});
