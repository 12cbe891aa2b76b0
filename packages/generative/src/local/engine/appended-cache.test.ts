/** Decoders whose graph returns a longer cache each time, as Optimum exports them, in both types. */
import { type Attribute, GraphBuilder, seededRandom, tensor, writeModel } from '@skein/onnx';
import { expect, it } from 'vitest';
import { readDecoder } from '../model/graph.ts';
import { openDecoder } from './decoder.ts';

const [VOCABULARY, HIDDEN, HEADS, SIZE, POSITIONS] = [16, 8, 2, 4, 32];
type CacheType = 'float32' | 'float16';
const CODES = { float32: 1, float16: 10 } as const;

/** One layer of attention over a cache that is concatenated; logits and cache have the type. */
function appendingModel(type: CacheType): Uint8Array {
  const graph = new GraphBuilder('appending');
  const random = seededRandom(3);
  const node = (op: string, inputs: string[], attributes: Record<string, Attribute> = {}): string =>
    graph.node(op, inputs, attributes)[0];
  const matrix = (name: string, rows: number, columns: number): string => {
    const values = Float32Array.from({ length: rows * columns }, () => random.next() * 2 - 1);
    return graph.initializer(name, tensor('float32', [rows, columns], values));
  };
  const ints = (name: string, values: readonly number[], dims = [values.length]): string =>
    graph.initializer(name, tensor('int64', dims, BigInt64Array.from(values, BigInt)));
  const scalar = (name: string, value: number): string =>
    graph.initializer(name, tensor('float32', [], Float32Array.of(value)));
  const cast = (input: string, to: CacheType): string => node('Cast', [input], { to: CODES[to] });

  const ids = graph.input('input_ids', 'int64', ['batch', 'length']);
  const mask = graph.input('attention_mask', 'int64', ['batch', 'total']);
  const positions = graph.input('position_ids', 'int64', ['batch', 'length']);
  const words = node('Gather', [matrix('words', VOCABULARY, HIDDEN), ids]);
  const places = node('Gather', [matrix('places', POSITIONS, HIDDEN), positions]);
  const x = node('Add', [words, places]);
  const split = ints('split', [0, 0, HEADS, SIZE]);
  const headsOf = (name: string): string => {
    const projected = node('MatMul', [x, matrix(name, HIDDEN, HIDDEN)]);
    return node('Transpose', [node('Reshape', [projected, split])], { perm: [0, 2, 1, 3] });
  };
  const grown = (part: 'key' | 'value'): string => {
    const past = graph.input(`past_key_values.0.${part}`, type, ['batch', HEADS, 'past', SIZE]);
    const present = `present.0.${part}`;
    graph.node('Concat', [past, cast(headsOf(part), type)], { axis: 2 }, { outputs: [present] });
    graph.output(present, type, ['batch', HEADS, 'total', SIZE]);
    return cast(present, 'float32');
  };
  const keys = node('Transpose', [grown('key')], { perm: [0, 1, 3, 2] });
  const scores = node('MatMul', [headsOf('query'), keys]);

  // A token sees the tokens that the mask names, and of the new ones those up to itself.
  const never = scalar('never', -1e9);
  const [none, zero, one] = [scalar('none', 0), ints('zero', [0], []), ints('one', [1], [])];
  const lengthOf = (name: string): string =>
    node('Squeeze', [node('Shape', [name], { start: 1, end: 2 })]);
  const [total, length] = [lengthOf(mask), lengthOf(ids)];
  const columns = node('Range', [zero, total, one]);
  const rows = node('Range', [node('Sub', [total, length]), total, one]);
  const earlier = node('LessOrEqual', [columns, node('Unsqueeze', [rows, ints('last', [1])])]);
  const isThere = node('Unsqueeze', [node('Cast', [mask], { to: 9 }), ints('middle', [1, 2])]);
  const bias = node('Where', [node('And', [isThere, earlier]), none, never]);
  const shares = node('Softmax', [node('Add', [scores, bias])], { axis: -1 });
  const mixed = node('Transpose', [node('MatMul', [shares, grown('value')])], {
    perm: [0, 2, 1, 3],
  });
  const joined = node('Add', [x, node('Reshape', [mixed, ints('join', [0, 0, HIDDEN])])]);
  const logits = node('MatMul', [joined, matrix('head', HIDDEN, VOCABULARY)]);
  graph.node('Cast', [logits], { to: CODES[type] }, { outputs: ['logits'] });
  graph.output('logits', type, ['batch', 'length', VOCABULARY]);
  return writeModel(graph.model({ opset: 21, irVersion: 10 }));
}

const A = [3, 7, 1, 9, 15, 4];
const B = [8, 2, 5];

it.each([
  ['float32', 1e-5],
  ['float16', 2e-2],
] as const)(
  'gives rows of unequal length, and prompts in pieces, their own logits: %s',
  async (...row) => {
    const [type, tolerance] = row;
    const graph = readDecoder(appendingModel(type));
    expect(graph).toMatchObject({ cache: 'appended', cacheType: type, logitsType: type });
    const decoder = await openDecoder({
      graph,
      folder: '.',
      threads: 1,
      rows: 3,
      context: POSITIONS,
    });
    try {
      // Without a past: the expected logits of each row.
      const alone: number[] = [];
      for (const tokens of [A, B])
        alone.push(...(await decoder.prompt({ row: 2, past: 0, tokens }, 1)));
      await decoder.prompt({ row: 0, past: 0, tokens: A.slice(0, 3) }, 1);
      await decoder.prompt({ row: 0, past: 3, tokens: A.slice(3, -1) }, 1);
      await decoder.prompt({ row: 1, past: 0, tokens: B.slice(0, -1) }, 1);
      const pasts = [A.length - 1, B.length - 1];
      const logits = await decoder.step(pasts, [A.at(-1)!, B.at(-1)!]);
      expect(logits).toHaveLength(2 * VOCABULARY);
      logits.forEach((value, at) => expect(Math.abs(value - alone[at]!)).toBeLessThan(tolerance));
      expect(new Set(alone.map((value) => value.toFixed(2))).size).toBeGreaterThan(VOCABULARY);
    } finally {
      await decoder.close();
    }
  },
);
