/** Models of a few nodes, and a way to write tensors down. */
import {
  GraphBuilder,
  tensor,
  writeModel,
  type ElementType,
  type NumericTensor,
} from '@skein/onnx';

export function float32(shape: readonly number[], ...numbers: number[]): NumericTensor {
  return tensor('float32', shape, Float32Array.from(numbers));
}

/** sum = a + b, product = a · b, over any [n]. */
export function arithmetic(): Uint8Array {
  const graph = new GraphBuilder('arithmetic');
  graph.input('a', 'float32', ['n']);
  graph.input('b', 'float32', ['n']);
  graph.node('Add', ['a', 'b'], {}, { outputs: ['sum'] });
  graph.node('Mul', ['a', 'b'], {}, { outputs: ['product'] });
  graph.output('sum', 'float32', ['n']);
  graph.output('product', 'float32', ['n']);
  return writeModel(graph.model());
}

/** y = x of any type, over any [n]. */
export function identity(type: ElementType): Uint8Array {
  const graph = new GraphBuilder('identity');
  graph.input('x', type, ['n']);
  graph.node('Identity', ['x'], {}, { outputs: ['y'] });
  graph.output('y', type, ['n']);
  return writeModel(graph.model());
}

/** y = x reshaped to [4, -1], which not every x can be. */
export function fours(): Uint8Array {
  const graph = new GraphBuilder('fours');
  graph.input('x', 'float32', ['n']);
  graph.initializer('shape', tensor('int64', [2], new BigInt64Array([4n, -1n])));
  graph.node('Reshape', ['x', 'shape'], {}, { outputs: ['y'], name: 'reshape' });
  graph.output('y', 'float32', [4, null]);
  return writeModel(graph.model());
}

/** Adds 1 to x, `rounds` times in a row: a run of any length. */
export function counting(): Uint8Array {
  const graph = new GraphBuilder('counting');
  graph.input('rounds', 'int64', []);
  return looping(graph);
}

/** The same without an end, whatever x is. */
export function endless(): Uint8Array {
  const graph = new GraphBuilder('endless');
  graph.initializer('rounds', tensor('int64', [], BigInt64Array.of(2n ** 62n)));
  return looping(graph);
}

/** @param graph that has `rounds` already. */
function looping(graph: GraphBuilder): Uint8Array {
  const body = new GraphBuilder('body');
  body.input('round', 'int64', []);
  body.input('going', 'bool', []);
  body.input('value', 'float32', []);
  body.initializer('one', float32([], 1));
  body.node('Identity', ['going'], {}, { outputs: ['goes_on'] });
  body.node('Add', ['value', 'one'], {}, { outputs: ['next'] });
  body.output('goes_on', 'bool', []);
  body.output('next', 'float32', []);
  graph.input('x', 'float32', []);
  graph.initializer('go', tensor('bool', [], new Uint8Array([1])));
  graph.node('Loop', ['rounds', 'go', 'x'], { body: { graph: body } }, { outputs: ['y'] });
  graph.output('y', 'float32', []);
  return writeModel(graph.model());
}

/** A file of less than 300 bytes that takes 6.4 GB to run once. */
export function hungry(): Uint8Array {
  const graph = new GraphBuilder('hungry');
  graph.input('x', 'float32', [1]);
  graph.initializer('n', tensor('int64', [1], BigInt64Array.of(1_600_000_000n)));
  graph.node('ConstantOfShape', ['n'], {}, { outputs: ['zeros'] });
  graph.node('ReduceSum', ['zeros'], { keepdims: 0 }, { outputs: ['sum'] });
  graph.node('Add', ['x', 'sum'], {}, { outputs: ['y'] });
  graph.output('y', 'float32', [1]);
  return writeModel(graph.model());
}

/** y = the sum of n zeros, all of them in memory at once: four bytes for each. */
export function filling(): Uint8Array {
  const graph = new GraphBuilder('filling');
  graph.input('n', 'int64', [1]);
  graph.node('ConstantOfShape', ['n'], {}, { outputs: ['zeros'] });
  graph.node('ReduceSum', ['zeros'], { keepdims: 0 }, { outputs: ['y'] });
  graph.output('y', 'float32', []);
  return writeModel(graph.model());
}

/** The feeds of `filling()`. */
export function zeros(count: number): Map<string, NumericTensor> {
  return new Map([['n', tensor('int64', [1], BigInt64Array.of(BigInt(count)))]]);
}

/** The output: n zeros. */
export function pouring(): Uint8Array {
  const graph = new GraphBuilder('pouring');
  graph.input('n', 'int64', [1]);
  graph.node('ConstantOfShape', ['n'], {}, { outputs: ['y'] });
  graph.output('y', 'float32', [null]);
  return writeModel(graph.model());
}

/** The feeds of `counting()`. */
export function rounds(count: number): Map<string, NumericTensor> {
  return new Map([
    ['rounds', tensor('int64', [], BigInt64Array.of(BigInt(count)))],
    ['x', float32([], 0)],
  ]);
}
