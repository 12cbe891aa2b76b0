/** Models of a few nodes, for tests. */
import { create } from '@bufbuild/protobuf';
import { StringStringEntryProtoSchema, TensorProto_DataLocation } from 'onnx-buf';
import { GraphBuilder } from '../model/builder.ts';
import type { Model } from '../model/model.ts';
import { tensor } from '../tensor/tensor.ts';

/** y = x · w: [batch, 2] → [batch, 2]. */
export function linear(): Model {
  const graph = new GraphBuilder('linear');
  const x = graph.input('x', 'float32', ['batch', 2]);
  const w = graph.initializer('w', tensor('float32', [2, 2], new Float32Array([1, 2, 3, 4])));
  const [y] = graph.node('MatMul', [x, w], {}, { outputs: ['y'], name: 'multiply' });
  graph.output(y, 'float32', ['batch', 2]);
  return graph.model();
}

/** y = x + 1 when `flag` holds, else x − 1; both branches read the outer x and one. */
export function branching(): Model {
  const branch = (operator: string) => {
    const body = new GraphBuilder(operator);
    const [result] = body.node(operator, ['x', 'one'], {}, { outputs: [`${operator}_result`] });
    body.output(result, 'float32', ['n']);
    return body;
  };
  const graph = new GraphBuilder('branching');
  graph.input('x', 'float32', ['n']);
  graph.input('flag', 'bool', []);
  graph.initializer('one', tensor('float32', [], new Float32Array([1])));
  graph.node(
    'If',
    ['flag'],
    { then_branch: { graph: branch('Add') }, else_branch: { graph: branch('Sub') } },
    { outputs: ['y'], name: 'choose' },
  );
  graph.output('y', 'float32', ['n']);
  return graph.model();
}

/** Moves the first initialiser out of the model; `entries` name its new place. Returns its bytes. */
export function moveOut(model: Model, entries: Record<string, string>): Uint8Array {
  const weights = model.graph!.initializer[0]!;
  const bytes = weights.rawData;
  weights.rawData = new Uint8Array(0);
  weights.dataLocation = TensorProto_DataLocation.EXTERNAL;
  weights.externalData = Object.entries(entries).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value }),
  );
  return bytes;
}
