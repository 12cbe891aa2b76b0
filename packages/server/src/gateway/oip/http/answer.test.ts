import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tensor, type Tensor } from '@skein/onnx';
import { encodeAnswer, writeAnswer } from './answer.ts';
import { decodeInferRequest, type DecodedRequest } from './request.ts';
import { bytesOfTensor } from '../tensors/tensor-bytes.ts';
import { named } from '../../testing/naive-tensors.ts';
import { plain } from '../../testing/random-tensors.ts';

describe('answers', () => {
  function request(
    choice: Readonly<Record<string, readonly [Tensor, boolean, boolean]>>,
  ): DecodedRequest['binary'] {
    return {
      byDefault: false,
      byOutput: new Map(Object.entries(choice).map(([name, [, , isBinary]]) => [name, isBinary])),
    };
  }

  test('read back to the same tensors, as JSON, binary, or mixed', () => {
    fc.assert(
      fc.property(named, (outputs) => {
        const tensors = new Map(Object.entries(outputs).map(([name, [tensor]]) => [name, tensor]));
        const { json, binary } = encodeAnswer('m', 'id "1"', undefined, request(outputs), {
          version: '7',
          outputs: tensors,
          times: { queueMs: 0, computeMs: 0, batchRows: 1 },
          cached: false,
        });
        const head = JSON.parse(json) as {
          id: string;
          model_version: string;
          outputs: {
            name: string;
            datatype: string;
            shape: number[];
            data?: unknown;
            parameters?: { binary_data_size: number };
          }[];
        };
        expect(head.id).toBe('id "1"');
        expect(head.model_version).toBe('7');
        // A server must accept its own answer as a request; another test covers the request
        // decoder.
        const body = Buffer.concat([
          Buffer.from(json.replace('"outputs":', '"inputs":')),
          ...(binary ?? []),
        ]);
        const again = decodeInferRequest(
          body,
          body.length - (binary ?? []).reduce((sum, { length }) => sum + length, 0),
        );
        expect(plain(again.inputs)).toEqual(plain(tensors));
        for (const { parameters, name } of head.outputs) {
          expect(parameters?.binary_data_size).toBe(
            outputs[name]![2] ? bytesOfTensor(outputs[name]![0]).length : undefined,
          );
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('keep negative zero', () => {
    for (const [type, array] of [
      ['float32', Float32Array.of(-0, 0)],
      ['float64', Float64Array.of(-0, 0)],
    ] as const) {
      const outputs = new Map<string, Tensor>([['y', tensor(type, [2], array)]]);
      const answer = {
        version: '1',
        outputs,
        times: { queueMs: 0, computeMs: 0, batchRows: 1 },
        cached: false,
      };
      const json = { byDefault: false, byOutput: new Map() };
      expect(encodeAnswer('m', undefined, undefined, json, answer).json).toContain(
        '"data":[-0.0,0]',
      );
    }
  });

  test('bytes that are not text need the binary form', () => {
    const outputs = new Map<string, Tensor>([
      ['image', { type: 'string', shape: [1], elements: [Uint8Array.of(0xff, 0xd8)] }],
    ]);
    const answer = {
      version: '1',
      outputs,
      times: { queueMs: 0, computeMs: 0, batchRows: 1 },
      cached: false,
    };
    expect(() =>
      encodeAnswer('m', undefined, undefined, { byDefault: false, byOutput: new Map() }, answer),
    ).toThrow(/binary_data/);
    const { binary } = encodeAnswer(
      'm',
      undefined,
      undefined,
      { byDefault: true, byOutput: new Map() },
      answer,
    );
    expect(Buffer.from(binary![0]!).toString('hex')).toBe('02000000ffd8');
  });

  test('outputs come in the order in which they were asked for', () => {
    const one: Tensor = { type: 'uint8', shape: [1], bytes: Uint8Array.of(1) };
    const outputs = new Map([
      ['a', one],
      ['b', one],
    ]);
    const answer = {
      version: '1',
      outputs,
      times: { queueMs: 0, computeMs: 0, batchRows: 1 },
      cached: false,
    };
    const { json } = encodeAnswer(
      'm',
      undefined,
      ['b', 'a'],
      { byDefault: false, byOutput: new Map() },
      answer,
    );
    expect(
      (JSON.parse(json) as { outputs: { name: string }[] }).outputs.map(({ name }) => name),
    ).toEqual(['b', 'a']);
  });
});

test.each([
  ['float32', (count: number) => new Float32Array(count).fill(1)],
  ['int64', (count: number) => new BigInt64Array(count).fill(1n)],
  ['bool', (count: number) => new Uint8Array(count).fill(1)],
] as const)('a large answer of %s is written in parts', (type, ones) => {
  const count = 200_001;
  const outputs = new Map([['y', tensor(type, [count], ones(count))]]);
  const parts: string[] = [];
  const times = { queueMs: 0, computeMs: 0, batchRows: 1 };
  const answer = { version: '7', outputs, times, cached: false };
  const choice = { byDefault: false, byOutput: new Map<string, boolean>() };
  writeAnswer((part) => parts.push(part), 'm', undefined, undefined, choice, answer);
  expect(Math.max(...parts.map(({ length }) => length))).toBeLessThan(500_000);
  const { data } = (JSON.parse(parts.join('')) as { outputs: { data: unknown[] }[] }).outputs[0]!;
  expect(data).toHaveLength(count);
  expect(data.every((value) => Number(value) === 1)).toBe(true);
});
