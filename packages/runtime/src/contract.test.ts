/** The contract of every runtime, over each backend and isolation. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  GraphBuilder,
  readModel,
  signatureOf,
  stringTensor,
  tensor,
  values,
  writeModel,
  type NumericTensor,
  type NumericType,
  type StringTensor,
  type Tensor,
  type TensorMap,
} from '@skein/onnx';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import { realModels } from '../../onnx/src/testing/real-models.ts';
import { moveOut } from '../../onnx/src/testing/small-models.ts';
import type { ModelSource, Runtime, Session, SessionOptions } from './contract.ts';
import { nativeRuntime } from './native/native-runtime.ts';
import { arithmetic, float32, fours, identity } from './testing/models.ts';
import { wasmRuntime } from './wasm/wasm-runtime.ts';

const numbers = (of: Tensor | undefined) => Array.from(values(of as NumericTensor), Number);

describe.each<[string, Runtime, SessionOptions]>([
  ['native thread', nativeRuntime, { device: 'cpu', threads: 1, isolation: 'thread' }],
  ['native process', nativeRuntime, { device: 'cpu', threads: 1, isolation: 'process' }],
  ['wasm', wasmRuntime, { device: 'cpu', threads: 1, isolation: 'thread' }],
])('%s', (_, runtime, options) => {
  const opened: Session[] = [];
  const open = async (model: Uint8Array | ModelSource) => {
    const source = model instanceof Uint8Array ? { bytes: model } : model;
    const session = await runtime.open(source, options);
    opened.push(session);
    return session;
  };
  const folder = testFolder();
  afterAll(async () => {
    for (const session of opened) await session.close();
  });

  describe('a session', () => {
    let session: Session;
    const feeds = () =>
      new Map([
        ['a', float32([3], 1, 2, 3)],
        ['b', float32([3], 4, 5, 6)],
      ]);
    beforeAll(async () => {
      session = await open(arithmetic());
    });

    it('has the signature that the file states', () => {
      expect(session.signature).toEqual(signatureOf(readModel(arithmetic())));
    });

    it('gives all outputs in order, and the time that it took', async () => {
      const { outputs, inputMs, computeMs, outputMs } = await session.run(feeds());
      expect([...outputs.keys()]).toEqual(['sum', 'product']);
      expect(outputs.get('sum')).toMatchObject({ type: 'float32', shape: [3] });
      expect(numbers(outputs.get('sum'))).toEqual([5, 7, 9]);
      expect(numbers(outputs.get('product'))).toEqual([4, 10, 18]);
      for (const partMs of [inputMs, computeMs, outputMs]) expect(partMs).toBeGreaterThan(0);
    });

    it('returns only the requested outputs, in the requested order', async () => {
      expect([...(await session.run(feeds(), ['product'])).outputs.keys()]).toEqual(['product']);
      expect([...(await session.run(feeds(), ['product', 'sum'])).outputs.keys()]).toEqual([
        'product',
        'sum',
      ]);
    });

    it('takes shapes that differ from run to run, also empty ones', async () => {
      for (const size of [5, 1, 0, 7]) {
        const ones = () => float32([size], ...Array.from({ length: size }, () => 1));
        const { outputs } = await session.run(
          new Map([
            ['a', ones()],
            ['b', ones()],
          ]),
        );
        expect(outputs.get('sum')!.shape).toEqual([size]);
        expect(numbers(outputs.get('sum'))).toEqual(Array.from({ length: size }, () => 2));
      }
    });

    it('takes views at any alignment and leaves the bytes around them alone', async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(9), fc.nat(9), async (before, after) => {
          const body = new Uint8Array(before + 12 + after).fill(7);
          body.set(new Uint8Array(Float32Array.of(1, 2, 3).buffer), before);
          const bytes = body.subarray(before, before + 12);
          const a = { type: 'float32' as const, shape: [3], bytes };
          const { outputs } = await session.run(new Map([...feeds(), ['a', a]]));
          expect(numbers(outputs.get('sum'))).toEqual([5, 7, 9]);
          if (before + after > 0) {
            expect(body.subarray(0, before).every((byte) => byte === 7)).toBe(true);
          }
        }),
        { numRuns: 30 },
      );
    });

    it('takes one buffer for two inputs', async () => {
      const { bytes } = float32([3], 1, 2, 3);
      const both = { type: 'float32' as const, shape: [3], bytes };
      const { outputs } = await session.run(
        new Map([
          ['a', both],
          ['b', both],
        ]),
      );
      expect(numbers(outputs.get('product'))).toEqual([1, 4, 9]);
    });

    it.each<[string, TensorMap, string]>([
      ['an unknown input', new Map([['c', float32([1], 1)]]), "The model has no input 'c'."],
      ['a missing input', new Map([['a', float32([1], 1)]]), "Input 'b' is missing."],
      [
        'a wrong type',
        new Map<string, Tensor>([
          ['a', float32([1], 1)],
          ['b', tensor('int64', [1], new BigInt64Array(1))],
        ]),
        'An input has the element type int64 instead of float.',
      ],
      [
        'too many dimensions',
        new Map([
          ['a', float32([1], 1)],
          ['b', float32([1, 1], 1)],
        ]),
        "Input 'b' has 2 dimensions instead of 1.",
      ],
      [
        'too few bytes',
        new Map([['a', { type: 'float32', shape: [2], bytes: new Uint8Array(7) }]]),
        "Input 'a' of shape [2] and type float32 takes 8 bytes, but 7 were given.",
      ],
      [
        'bfloat16',
        new Map<string, Tensor>([
          ['a', tensor('bfloat16', [1], new Uint16Array(1))],
          ['b', float32([1], 1)],
        ]),
        "Input 'a' is bfloat16",
      ],
    ])('refuses %s, gives the reason, and continues', async (_, wrong, message) => {
      const failed = session.run(wrong);
      await expect(failed).rejects.toMatchObject({ name: 'RuntimeFailure', kind: 'run' });
      await expect(failed).rejects.toThrow(message);
      expect(numbers((await session.run(feeds())).outputs.get('sum'))).toEqual([5, 7, 9]);
    });

    it('refuses an unknown output', async () => {
      const failed = session.run(feeds(), ['sum', 'quotient']);
      await expect(failed).rejects.toMatchObject({ kind: 'run' });
      await expect(failed).rejects.toThrow("The model has no output 'quotient'.");
    });

    it('refuses a second run while one is in progress', async () => {
      const first = session.run(feeds());
      await expect(session.run(feeds())).rejects.toThrow('still running');
      expect(numbers((await first).outputs.get('sum'))).toEqual([5, 7, 9]);
    });
  });

  it('explains why a node refuses its input', async () => {
    const session = await open(fours());
    const failed = session.run(new Map([['x', float32([6], 1, 2, 3, 4, 5, 6)]]));
    await expect(failed).rejects.toMatchObject({ kind: 'run' });
    await expect(failed).rejects.toThrow(
      'The input tensor cannot be reshaped to the requested shape. Input shape:{6}, requested shape:{4,-1}',
    );
    await expect(failed).rejects.not.toThrow(/reshape_helper|was false/);
  });

  it.each<[NumericType, NumericTensor]>([
    ['float32', tensor('float32', [3], Float32Array.of(-0, Infinity, NaN))],
    ['float64', tensor('float64', [2], Float64Array.of(Number.MIN_VALUE, -Number.MAX_VALUE))],
    // One, the smallest subnormal, −0, infinity, and a NaN with a payload.
    ['float16', tensor('float16', [5], Uint16Array.of(0x3c00, 1, 0x8000, 0x7c00, 0x7e01))],
    ['int8', tensor('int8', [2], Int8Array.of(-128, 127))],
    ['int16', tensor('int16', [2], Int16Array.of(-32768, 32767))],
    ['int32', tensor('int32', [2], Int32Array.of(-(2 ** 31), 2 ** 31 - 1))],
    ['int64', tensor('int64', [2], BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n))],
    ['uint8', tensor('uint8', [2], Uint8Array.of(0, 255))],
    ['uint16', tensor('uint16', [2], Uint16Array.of(0, 65535))],
    ['uint32', tensor('uint32', [2], Uint32Array.of(0, 2 ** 32 - 1))],
    ['uint64', tensor('uint64', [2], BigUint64Array.of(0n, 2n ** 64n - 1n))],
    ['bool', tensor('bool', [3], Uint8Array.of(0, 1, 1))],
  ])('carries every bit of %s', async (type, x) => {
    const session = await open(identity(type));
    const expected = x.bytes.slice();
    const y = (await session.run(new Map([['x', x]]))).outputs.get('y') as NumericTensor;
    expect(y.type).toBe(type);
    expect(y.shape).toEqual(x.shape);
    expect(Buffer.from(y.bytes)).toEqual(Buffer.from(expected));
  });

  it('carries strings as UTF-8, and refuses strings that ONNX Runtime would change', async () => {
    const session = await open(identity('string'));
    const run = (...elements: (string | Uint8Array)[]) =>
      session.run(new Map([['x', stringTensor([elements.length], elements)]]));
    const words = ['', 'a', 'é', '日本', '🪿', '\ufeffmark', 'a'.repeat(10_000)];
    const { outputs } = await run(...words);
    const { elements } = outputs.get('y') as StringTensor;
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    expect(elements.map((each) => decoder.decode(each))).toEqual(words);
    await expect(run('fine', Uint8Array.of(0xff))).rejects.toMatchObject({
      kind: 'run',
      message: "Element 1 of input 'x' is not UTF-8, as ONNX strings must be.",
    });
    await expect(run('a\0b')).rejects.toThrow('NUL');
  });

  it.each<[string, Uint8Array, string | RegExp]>([
    ['an empty file', new Uint8Array(0), ''],
    ['a text', new TextEncoder().encode('hello, this is no model'), 'not an ONNX model'],
    ['half a model', arithmetic().subarray(0, 90), 'not an ONNX model'],
    [
      'an operator of a later opset',
      edited(arithmetic(), (m) => (m.graph!.node[0]!.opType = 'Gelu')),
      /Operator 'Gelu'.* does not exist in opset 17/,
    ],
    [
      'an operator of an unknown domain',
      edited(arithmetic(), (m) => {
        m.graph!.node[0]!.domain = 'com.acme';
        m.opsetImport.push({ ...m.opsetImport[0]!, domain: 'com.acme', version: 1n });
      }),
      "ONNX Runtime has no operator 'Add' of domain 'com.acme'.",
    ],
    [
      'a future opset',
      edited(arithmetic(), (m) => (m.opsetImport[0]!.version = 99n)),
      'The model uses opset 99 of ai.onnx; ONNX Runtime supports opsets up to',
    ],
    [
      'a future IR version',
      edited(arithmetic(), (m) => (m.irVersion = 99n)),
      'The model has IR version 99; ONNX Runtime supports versions up to',
    ],
    ['bfloat16', identity('bfloat16'), 'bfloat16'],
  ])('refuses %s with the reason', async (_, bytes, message) => {
    const failed = open(bytes);
    await expect(failed).rejects.toMatchObject({ name: 'RuntimeFailure', kind: 'load' });
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.not.toThrow(/\.cc:|\.h:\d|ONNXRuntimeError/);
  });

  it('does not change the bytes of a model', async () => {
    const bytes = arithmetic();
    await open(bytes);
    expect(bytes).toEqual(arithmetic());
  });

  it('loads a file, with its external data', async () => {
    const graph = new GraphBuilder('external');
    graph.input('x', 'float32', [2]);
    graph.initializer('w', float32([2], 10, 20));
    graph.node('Add', ['x', 'w'], {}, { outputs: ['y'] });
    graph.output('y', 'float32', [2]);
    const model = graph.model();
    writeFileSync(join(folder, 'w.bin'), moveOut(model, { location: 'w.bin' }));
    const path = join(folder, 'external.onnx');
    writeFileSync(path, writeModel(model));
    const session = await open({ path });
    const { outputs } = await session.run(new Map([['x', float32([2], 1, 2)]]));
    expect(numbers(outputs.get('y'))).toEqual([11, 22]);
  });

  it('names a file that does not exist', async () => {
    const path = join(folder, 'absent.onnx');
    await expect(open({ path })).rejects.toMatchObject({ kind: 'load' });
    await expect(open({ path })).rejects.toThrow(path);
  });

  it.each(realModels)('loads $name with the signature that the file states', async ({ path }) => {
    const session = await open({ path });
    expect(session.signature).toEqual(signatureOf(readModel(readFileSync(path))));
    await session.close();
  });

  it('rejects runs after it was closed', async () => {
    const session = await open(identity('float32'));
    await Promise.all([session.close(), session.close()]);
    await session.close();
    const failed = session.run(new Map([['x', float32([1], 1)]]));
    await expect(failed).rejects.toMatchObject({
      kind: 'lost',
      message: 'The session was closed.',
    });
  });
});

function edited(bytes: Uint8Array, change: (model: ReturnType<typeof readModel>) => void) {
  const model = readModel(bytes);
  change(model);
  return writeModel(model);
}
