/** Weights of a file of safetensors, deployed by the command with a graph, and called. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GraphBuilder, tensorOfNumbers, writeModel } from '@skein/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { moveOut } from '../../../onnx/src/testing/small-models.ts';
import { startNodeProcess, type NodeProcess } from '../../../server/src/testing/node-process.ts';
import type { Deployed } from './deploying.ts';

/** y = x · dense.weight + dense.bias, with weights of zero. */
function linear() {
  const graph = new GraphBuilder('linear');
  const x = graph.input('x', 'float32', ['batch', 2]);
  const w = graph.initializer('dense.weight', tensorOfNumbers('float32', [2, 1], [0, 0]));
  const b = graph.initializer('dense.bias', tensorOfNumbers('float32', [1], [0]));
  const [product] = graph.node('MatMul', [x, w]);
  const [y] = graph.node('Add', [product, b], {}, { outputs: ['y'] });
  graph.output(y, 'float32', ['batch', 1]);
  return graph.model();
}

type Entry = readonly [dtype: string, shape: readonly number[], bytes: Uint8Array];
/** A file as the safetensors library writes it. */
function safetensors(entries: Readonly<Record<string, Entry>>): Buffer {
  const parts = Object.values(entries).map(([, , bytes]) => Buffer.from(bytes));
  let end = 0;
  const places = Object.entries(entries).map(([name, [dtype, shape, { length }]]) => {
    const start = end;
    end += length;
    return [name, { dtype, shape, data_offsets: [start, end] }];
  });
  const header = Buffer.from(
    JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(places) }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, ...parts]);
}

const floats = (...numbers: number[]): Uint8Array => {
  const bytes = Buffer.alloc(numbers.length * 4);
  numbers.forEach((number, at) => bytes.writeFloatLE(number, at * 4));
  return bytes;
};
/** The upper halves of the floats. */
const halves = (...numbers: number[]): Uint8Array =>
  floats(...numbers).filter((_, at) => at % 4 >= 2);

const WEIGHT: Entry = ['F32', [2, 1], floats(10, 0.5)];
const BIAS: Entry = ['F32', [1], floats(-1)];

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess();
  write('model.onnx', writeModel(linear()));
}, 60_000);
afterAll(() => node.stop());

const write = (name: string, bytes: Uint8Array): void =>
  writeFileSync(join(node.folder, name), bytes);

async function deployed(name: string, model: string): Promise<unknown> {
  const words = ['--weights', 'weights.safetensors', '--name', name, '--oversubscribe', '--json'];
  await node.json<Deployed>('deploy', model, ...words);
  const data = JSON.stringify({ x: [[1, 4]] });
  const { outputs } = await node.json<{ outputs: { y: { data: unknown } } }>(
    'infer',
    name,
    '--timeout',
    '20s',
    '--data',
    data,
  );
  return outputs.y.data;
}

describe('skein deploy --weights', () => {
  it('serves the graph with the weights of the file', async () => {
    write('weights.safetensors', safetensors({ 'dense.bias': BIAS, 'dense.weight': WEIGHT }));
    expect(await deployed('whole', 'model.onnx')).toEqual([[11]]);
  });

  it('widens weights of 16 bits', async () => {
    const weight: Entry = ['BF16', [2, 1], halves(-3, 0.25)];
    const bias: Entry = ['F16', [1], Uint8Array.of(0, 0x3c)];
    write('weights.safetensors', safetensors({ 'dense.weight': weight, 'dense.bias': bias }));
    expect(await deployed('halves', 'model.onnx')).toEqual([[-1]]);
  });

  it('needs no file that the graph names for weights that it is given', async () => {
    const graph = linear();
    moveOut(graph, { location: 'absent.bin', offset: '0', length: '8' });
    write('graph.onnx', writeModel(graph));
    write('weights.safetensors', safetensors({ 'dense.weight': WEIGHT, 'dense.bias': BIAS }));
    expect(await deployed('graph', 'graph.onnx')).toEqual([[11]]);
  });

  it.each<[string, Uint8Array, RegExp]>([
    [
      'a missing name',
      safetensors({ 'dense.weight': WEIGHT }),
      /"weights\.safetensors" does not fit "model\.onnx": it has no tensor for dense\.bias of the model\./,
    ],
    [
      'more names than it shows',
      safetensors({
        'dense.weight': WEIGHT,
        'dense.bias': BIAS,
        ...Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, BIAS])),
      }),
      /it has a, b, c and 2 more, which the model does not have\./,
    ],
    [
      'another shape and type',
      safetensors({
        'dense.weight': ['F32', [1, 2], floats(1, 2)],
        'dense.bias': ['I32', [1], floats(0)],
      }),
      /dense\.weight is float32\[1, 2\], not float32\[2, 1\], dense\.bias is int32\[1\], not float32\[1\]/,
    ],
    [
      'a file that is cut off',
      safetensors({ a: BIAS }).subarray(0, 70),
      /cut off, or not in the safetensors format/,
    ],
  ])('refuses %s with the fix', async (_, file, message) => {
    write('weights.safetensors', file);
    const words = ['model.onnx', '--weights', 'weights.safetensors', '--name', 'none'];
    const { code, stderr } = await node.run('deploy', ...words);
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
    expect(stderr).toContain('Save the tensors under the names, shapes and types');
    expect(stderr).toContain('MODEL_WEIGHTS_UNFIT');
  });

  it('refuses weights for another kind of file, and a file that is not there', async () => {
    write('rules.ts', new Uint8Array());
    for (const [words, message] of [
      [['rules.ts', '--weights', 'model.onnx'], /--weights is for \.onnx files/],
      [['--run', 'last', '--weights', 'model.onnx'], /--weights is for \.onnx files/],
      [['model.onnx', '--weights', 'absent'], /"absent" cannot be read: there is no such file/],
    ] as const) {
      const { stderr } = await node.run('deploy', ...words);
      expect(stderr).toMatch(message);
    }
  });
});
