import { expect, it, onTestFinished, vi } from 'vitest';
import { GraphBuilder, tensor, writeModel, type Tensor } from '@skein/onnx';
import { withCulprit } from './culprit.ts';
import { nativeRuntime } from './native/native-runtime.ts';

const texts = (shape: readonly number[], ...list: string[]): Tensor => ({
  type: 'string',
  shape,
  elements: list.map((text) => Buffer.from(text)),
});

const INTEGER = 'Operator Cast: a text is not an integer of 64 bits.';
const UNSIGNED = 'Operator Cast: a text is not an unsigned integer of 64 bits.';
const NUMBER = 'Operator Cast: a text is not a number.';
const BOUNDS =
  "Node 'g' (Gather): indices element out of data bounds, idx=7 must be within the inclusive range [-3,2]";

it.each([
  [INTEGER, { x: texts([2, 2], '1', '-2', ' 3rd', 'abc') }, `Input 'x' holds "abc" at [1, 1]: `],
  [
    INTEGER,
    { x: texts([1], '9223372036854775808') },
    `Input 'x' holds "9223372036854775808" at [0]: `,
  ],
  [INTEGER, { x: texts([2], '0'.repeat(30), '-000009223372036854775809') }, 'at [1]: '],
  [INTEGER, { x: texts([1], '') }, `Input 'x' holds "" at [0]: `],
  [UNSIGNED, { x: texts([2], '+18446744073709551615', '18446744073709551616') }, 'at [1]: '],
  [NUMBER, { x: texts([5], '1e5', '.5', '-inf', 'NaN', '1,5') }, ''],
  [NUMBER, { x: texts([2], '1', 'one') }, `Input 'x' holds "one" at [1]: `],
  [BOUNDS, { i: tensor('int64', [2], BigInt64Array.of(1n, 7n)) }, `Input 'i' holds 7 at [1]: `],
  [BOUNDS, { i: tensor('float32', [2], Float32Array.of(1, 7)) }, ''],
  // Two inputs may be meant, or a value that the model has computed.
  [INTEGER, { x: texts([1], 'a'), y: texts([1], 'b') }, ''],
  [INTEGER, { x: texts([1], '1') }, ''],
  ['Another reason.', { x: texts([1], 'a') }, ''],
])('%s %j', (reason, inputs, found) => {
  const explained = withCulprit(reason, new Map(Object.entries<Tensor>(inputs)));
  expect(explained.endsWith(reason)).toBe(true);
  expect(explained.slice(0, -reason.length)).toContain(found);
  if (found === '') expect(explained).toBe(reason);
});

it('does not read a number of any length: the event loop waits for it', () => {
  const read = vi.fn(BigInt);
  const asIntN = BigInt.asIntN.bind(BigInt);
  const asUintN = BigInt.asUintN.bind(BigInt);
  vi.stubGlobal('BigInt', Object.assign(read, { asIntN, asUintN }));
  onTestFinished(() => void vi.unstubAllGlobals());
  const explained = withCulprit(INTEGER, new Map([['x', texts([2], '7', '9'.repeat(10_000))]]));
  expect(explained).toMatch(/^Input 'x' holds "9+" at \[1\]: /);
  expect(read.mock.calls.map(([text]) => String(text).length)).toEqual([2]);
});

it.each([
  ['int64', 7, '12', 'abc', INTEGER],
  ['uint8', 2, '12', '-', UNSIGNED],
  ['float32', 1, '1e3', 'x1', NUMBER],
] as const)(
  'the runtime fails to cast to %s at the value that is named',
  async (type, to, good, bad, reason) => {
    const graph = new GraphBuilder('cast');
    const x = graph.input('x', 'string', [null]);
    graph.node('Cast', [x], { to }, { outputs: ['y'], name: '' });
    graph.output('y', type, [null]);
    const session = await nativeRuntime.open(
      { bytes: writeModel(graph.model()) },
      { threads: 1, isolation: 'thread', device: 'cpu' },
    );
    await session.run(new Map([['x', texts([1], good)]]));
    await expect(session.run(new Map([['x', texts([2], good, bad)]]))).rejects.toThrow(reason);
    await session.close();
    const inputs = new Map([['x', texts([2], good, bad)]]);
    expect(withCulprit(reason, inputs)).toBe(`Input 'x' holds "${bad}" at [1]: ${reason}`);
  },
);
