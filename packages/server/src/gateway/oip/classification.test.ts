/** Triton's classification extension: of both protocols, and its order compared with a plain sort. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { elementCount, tensor, type Tensor } from '@skein/onnx';
import { deployedModel } from '../../testing/fake-inference.ts';
import { call, failure } from '../../testing/grpc-client.ts';
import { floats, startGrpcFace } from '../testing/grpc-face.ts';
import { INFER, post, send, startHttpFace } from '../testing/http-face.ts';
import { decodeElements } from './tensors/bytes-elements.ts';
import { classified, withClassNames } from './classification.ts';
import { GRPCInferenceService } from './grpc/proto/inference.gen.ts';

async function top(
  output: Tensor,
  count: number,
  model: Parameters<typeof classified>[2] = { maxBatchRows: 1 },
): Promise<{ shape: readonly number[]; texts: string[] }> {
  const result = await classified(new Map([['y', output]]), new Map([['y', count]]), model);
  const found = result.get('y')!;
  if (found.type !== 'string') throw new Error('not BYTES');
  return { shape: found.shape, texts: found.elements.map((one) => Buffer.from(one).toString()) };
}
const row = (...list: number[]) => tensor('float32', [list.length], Float32Array.from(list));

describe('classes', () => {
  test('are the highest values, best first, with index and label', async () => {
    const output = row(1.1, 3.3, 0.5, 2.4);
    expect(await top(output, 2)).toEqual({ shape: [2], texts: ['3.3:1', '2.4:3'] });
    const labels = ['a', 'b', 'c', 'd'];
    const named = await top(output, 9, { maxBatchRows: 1, labels });
    expect(named.texts).toEqual(['3.3:1:b', '2.4:3:d', '1.1:0:a', '0.5:2:c']);
    const others = await top(output, 1, { maxBatchRows: 1, labels: ['a'] });
    expect(others.texts).toEqual(['3.3:1']);
  });

  test('of a batched model are counted in each row', async () => {
    const output = tensor('int64', [2, 3], BigInt64Array.of(1n, 5n, 5n, -1n, -2n, 2n ** 60n));
    expect(await top(output, 2, { maxBatchRows: 8 })).toEqual({
      shape: [2, 2],
      texts: ['5:1', '5:2', '1152921504606846976:2', '-1:0'],
    });
    expect((await top(output, 2)).texts).toEqual(['1152921504606846976:5', '5:1']);
  });

  test('have the order of a stable sort, with NaN last', async () => {
    const value = fc.oneof(fc.float(), fc.constantFrom(NaN, 0, -0, 1, Infinity, -Infinity));
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 70 }),
        async (list, count) => {
          const numbers = Float32Array.from(list);
          const score = (at: number): number =>
            Number.isNaN(numbers[at]!) ? -Number.MAX_VALUE * 2 : numbers[at]!;
          const expected = Array.from(numbers.keys())
            .toSorted(
              (one, other) =>
                Number(Number.isNaN(numbers[one]!)) - Number(Number.isNaN(numbers[other]!)) ||
                (score(other) > score(one) ? 1 : score(other) < score(one) ? -1 : one - other),
            )
            .slice(0, count);
          const { texts } = await top(row(...list), count);
          expect(texts.map((text) => Number(text.split(':')[1]))).toEqual(expected);
          for (const text of texts) {
            const [printed, index] = text.split(':') as [string, string];
            expect(Math.fround(Number(printed))).toBe(numbers[Number(index)]! + 0);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test.each([
    ['many short rows', tensor('float32', [4096, 256], new Float32Array(4096 * 256)), 1],
    ['many classes', tensor('uint8', [60_000], new Uint8Array(60_000)), 60_000],
    [
      'many new highest values',
      tensor('float32', [200_000], Float32Array.from(Array(200_000).keys())),
      1,
    ],
  ])('of %s let other work run in between', async (_, output, count) => {
    let turns = 0;
    let over = false;
    const other = (): void => {
      turns++;
      if (!over) setImmediate(other);
    };
    setImmediate(other);
    await top(output, count, { maxBatchRows: output.shape.length === 2 ? 2 : 1 });
    over = true;
    expect(turns).toBeGreaterThan(1);
  });

  test('of strings, or too many of them, are refused', async () => {
    const texts: Tensor = { type: 'string', shape: [1], elements: [Buffer.from('a')] };
    await expect(top(texts, 1)).rejects.toThrow(/holds strings/);
    const wide = tensor('uint8', [70_000], new Uint8Array(70_000));
    await expect(top(wide, 70_000)).rejects.toThrow(/70000 classes are more than/);
    expect((await top(wide, 3)).texts).toEqual(['0:0', '0:1', '0:2']);
  });
});

describe('names of classes', () => {
  const labels = ['a', 'b', 'c'];
  const named = async (outputs: Record<string, Tensor>, of: readonly string[] | undefined) => {
    const result = await withClassNames(new Map(Object.entries(outputs)), { labels: of });
    return Object.fromEntries(
      [...result].flatMap(([name, each]) =>
        each.type === 'string'
          ? [[name, each.elements.map((one) => Buffer.from(one).toString())]]
          : [],
      ),
    );
  };
  const scores = tensor('float32', [2, 3], Float32Array.of(1, 3, 2, NaN, -5, -4));

  test('stand next to the outputs that score them, row by row', async () => {
    expect(await named({ y: scores }, labels)).toEqual({ 'y.class': ['b', 'c'] });
    const places = tensor('float32', [1, 2, 3], Float32Array.of(0, 0, 1, 1, 0, 0));
    expect(await named({ places }, labels)).toEqual({ 'places.class': ['c', 'a'] });
  });

  test('of two classes follow from the share of the second', async () => {
    const probability = tensor('float32', [3, 1], Float32Array.of(0.4, 0.5, 0.9));
    const expected = { 'probability.class': ['no', 'yes', 'yes'] };
    expect(await named({ probability }, ['no', 'yes'])).toEqual(expected);
    expect(await named({ logit: probability }, ['no', 'yes'])).toEqual({});
  });

  test('are absent where an output does not score them', async () => {
    expect(await named({ y: scores }, undefined)).toEqual({});
    expect(await named({ y: scores }, ['a', 'b'])).toEqual({});
    const indices = tensor('int64', [3], BigInt64Array.of(0n, 1n, 2n));
    expect(await named({ y: indices }, labels)).toEqual({});
  });
});

/** The Python client's request: binary input, BYTES output with `class_count=2`. */
describe('over the wire', () => {
  const batched = deployedModel('echo', { maxBatchRows: 4, labels: ['zero', 'one', 'two'] });
  const body = (parameters: string) =>
    `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[1,3,2]}],"outputs":[{"name":"x","parameters":{${parameters}}}]}`;

  test('HTTP answers as JSON and as binary', async () => {
    const { port, inference } = await startHttpFace();
    inference.models.set('echo', batched);
    const json = await send(port, INFER, post(body('"classification":2')));
    expect(json.json).toMatchObject({
      outputs: [{ name: 'x', datatype: 'BYTES', shape: [1, 2], data: ['3:1:one', '2:2:two'] }],
    });
    const binary = await send(port, INFER, post(body('"classification":2,"binary_data":true')));
    const start = Number(binary.headers['inference-header-content-length']);
    const elements = decodeElements(binary.body.subarray(start), 2, 'x');
    expect(elements.map((one) => Buffer.from(one).toString())).toEqual(['3:1:one', '2:2:two']);
    expect((await send(port, INFER, post(body('"classification":0')))).json).toMatchObject({
      outputs: [{ datatype: 'FP32' }],
    });
    expect(await send(port, INFER, post(body('"classification":-1')))).toMatchObject({
      status: 400,
      json: { error: expect.stringMatching(/classification of output "x".*-1/) },
    });
  });

  test('names of classes come by request, over HTTP and gRPC', async () => {
    const http = await startHttpFace();
    const grpc = await startGrpcFace();
    for (const { inference } of [http, grpc]) inference.models.set('echo', batched);
    const asked = (names: string) =>
      post(
        `{"parameters":{"class_names":${names}},"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[1,3,2]}]}`,
      );
    expect((await send(http.port, INFER, asked('true'))).json).toMatchObject({
      outputs: [{ name: 'x' }, { name: 'x.class', datatype: 'BYTES', shape: [1], data: ['one'] }],
    });
    const first = `{"parameters":{"class_names":true},"outputs":[{"name":"x"}],`;
    const one = `"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[1,3,2]}]}`;
    expect((await send(http.port, INFER, post(first + one))).json).toMatchObject({
      outputs: [{ name: 'x' }, { name: 'x.class' }],
    });
    const { json } = await send(http.port, INFER, asked('false'));
    expect((json as { outputs: unknown[] }).outputs).toHaveLength(1);
    expect(await send(http.port, INFER, asked('1'))).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining('class_names must be true or false, but it is 1') },
    });
    const class_names = { parameterChoice: { case: 'boolParam' as const, value: true } };
    const { modelInfer } = GRPCInferenceService.method;
    const answer = await call(grpc.client, modelInfer, {
      ...floats(1, 3, 2),
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1n, 3n] }],
      parameters: { class_names },
    });
    expect(answer.outputs.map(({ name }) => name)).toEqual(['x', 'x.class']);
    const elements = decodeElements(answer.rawOutputContents[1]!, 1, 'x');
    expect(elements.map((one) => Buffer.from(one).toString())).toEqual(['one']);
  });

  test('the version that answers may be retired meanwhile', async () => {
    const http = await startHttpFace();
    const grpc = await startGrpcFace();
    for (const { inference } of [http, grpc]) {
      inference.models.set('echo', batched);
      inference.answer = ({ inputs }) => {
        inference.models.set('echo', deployedModel('echo', { version: '2', versions: ['2'] }));
        return inputs;
      };
    }
    const answer = await send(http.port, INFER, post(body('"classification":1')));
    expect(answer.json).toMatchObject({ model_version: '1', outputs: [{ data: ['3:1:one'] }] });
    const value = 1n;
    const classification = { parameterChoice: { case: 'int64Param' as const, value } };
    const asked = { ...floats(1, 3, 2), outputs: [{ name: 'x', parameters: { classification } }] };
    const { modelInfer } = GRPCInferenceService.method;
    expect(await call(grpc.client, modelInfer, asked)).toMatchObject({ modelVersion: '1' });
  });

  test('gRPC answers with raw contents', async () => {
    const { client, inference } = await startGrpcFace();
    inference.models.set('echo', batched);
    const asking = (value: bigint) => ({
      ...floats(1, 3, 2),
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1n, 3n] }],
      outputs: [
        {
          name: 'x',
          parameters: {
            classification: { parameterChoice: { case: 'int64Param' as const, value } },
          },
        },
      ],
    });
    const { modelInfer } = GRPCInferenceService.method;
    const answer = await call(client, modelInfer, asking(2n));
    expect(answer.outputs[0]).toMatchObject({ datatype: 'BYTES', shape: [1n, 2n] });
    const count = elementCount(answer.outputs[0]!.shape.map(Number));
    const elements = decodeElements(answer.rawOutputContents[0]!, count, 'x');
    expect(elements.map((one) => Buffer.from(one).toString())).toEqual(['3:1:one', '2:2:two']);
    expect((await failure(call(client, modelInfer, asking(-3n)))).code).toBe(3);
  });
});
