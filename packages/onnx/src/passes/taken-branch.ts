/** The branch that an If takes. */
import type { GraphProto, NodeProto } from 'onnx-buf';
import { isStandard, titleOf } from '../model/node-view.ts';
import { nodeProto } from '../model/protos.ts';
import { invalidModel } from '../onnx-error.ts';
import { values, type Tensor } from '../tensor/tensor.ts';

/**
 * The graph in the place of an If whose condition is constant: a branch, whose nodes end with an
 * Identity for each output of the If. `undefined` for other nodes and conditions.
 *
 * @throws OnnxError `invalid` for a branch that is absent, has inputs, or makes too few outputs.
 */
export function takenBranch(
  node: NodeProto,
  constantOf: (name: string) => Tensor | undefined,
): Pick<GraphProto, 'initializer' | 'sparseInitializer' | 'node'> | undefined {
  const condition = isStandard(node, 'If') ? constantOf(node.input[0] ?? '') : undefined;
  if (condition?.type !== 'bool' || condition.bytes.byteLength !== 1) return undefined;
  const branch = branchOf(node, values(condition)[0] === 0 ? 'else_branch' : 'then_branch');
  const outputs = node.output.flatMap((name, i) =>
    name === '' ? [] : [nodeProto('Identity', name, [branch.output[i]!.name], [name], {})],
  );
  const { initializer, sparseInitializer } = branch;
  return { initializer, sparseInitializer, node: [...branch.node, ...outputs] };
}

function branchOf(node: NodeProto, name: string): GraphProto {
  const branch = node.attribute.find((each) => each.name === name)?.g;
  if (branch === undefined) throw invalidModel(`${titleOf(node)} has no ${name}.`);
  if (branch.input.length > 0) {
    throw invalidModel(`The ${name} of ${titleOf(node)} has inputs, which no branch may have.`);
  }
  if (branch.output.length >= node.output.length) return branch;
  throw invalidModel(
    `${titleOf(node)} has ${node.output.length} outputs, its ${name} ${branch.output.length}.`,
  );
}
