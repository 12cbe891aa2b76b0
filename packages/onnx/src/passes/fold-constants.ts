/**
 * Computes nodes whose result follows from the model alone: arithmetic on shapes whose sizes are fixed, and
 * weights that a graph rearranges. An If whose condition is constant becomes the branch that it takes,
 * whose outputs are Identity nodes. Bit-exact; see `evaluate.ts`.
 */
import type { GraphProto, NodeProto } from 'onnx-buf';
import { InferredNode, type Inference } from '../infer/inference.ts';
import { isStatic } from '../infer/size.ts';
import { graphWith, withGraph, type Model } from '../model/model.ts';
import { isStandard } from '../model/node-view.ts';
import { tensorProto } from '../model/protos.ts';
import { OnnxError } from '../onnx-error.ts';
import { tensorOfNumbers } from '../tensor/numbers.ts';
import {
  elementCount,
  elementSize,
  type NumericTensor,
  type NumericType,
  type Tensor,
} from '../tensor/tensor.ts';
import { mapBodies, weightBytes } from './bodies.ts';
import { canEvaluate, evaluate } from './evaluate.ts';
import { enforcedFacts, factsInBody, follow } from './facts.ts';
import { takenBranch } from './taken-branch.ts';

/** Bytes of a result that is computed whatever else reads its inputs. */
const SMALL = 4096;
/** Bytes that results may take in all, beyond the bytes of the given initialisers. */
const SPARE = 2 ** 20;

/**
 * A large result is computed only where it replaces its inputs, so that the file does not grow. The
 * given model is not changed.
 *
 * @param model of distinct names, see `distinctNames`.
 * @throws OnnxError `invalid` for a branch that no If can take.
 */
export function foldConstants(model: Model): Model {
  const kept = namesReadAtRun(model.graph!);
  let budget = SPARE + weightBytes(model.graph!);

  const resultOf = (node: NodeProto, facts: Inference): NumericTensor | undefined => {
    const [name = ''] = node.output;
    const { type, shape, elements } = facts.of(name) ?? {};
    if (type === undefined || type === 'string' || !isStatic(shape)) return undefined;
    const bytes = elementCount(shape) * elementSize(type);
    if (bytes > budget) return undefined;
    if (isFollowed(type) && isStatic(elements) && elements.length === elementCount(shape)) {
      return tensorOfNumbers(type, shape, elements);
    }
    const inputs = node.input.map((each) => facts.constantOf(each));
    if (!inputs.every(isNumeric)) return undefined;
    const replaces = node.input.every(
      (each, i) => inputs[i]!.bytes.byteLength <= SMALL || !kept.has(each),
    );
    if (bytes > SMALL && !replaces) return undefined;
    return evaluated(new InferredNode(node, facts), inputs, shape);
  };

  const folded = (graph: GraphProto, facts: Inference): GraphProto => {
    const outputs = new Set(graph.output.map(({ name }) => name));
    const initializer = [...graph.initializer];
    const sparseInitializer = [...graph.sparseInitializer];
    const nodes: NodeProto[] = [];
    const visit = (node: NodeProto): void => {
      const branch = takenBranch(node, (name) => facts.constantOf(name));
      if (branch !== undefined) {
        for (const each of branch.initializer) {
          facts.addInitialiser(each);
          initializer.push(each);
        }
        for (const each of branch.sparseInitializer) sparseInitializer.push(each);
        for (const each of branch.node) visit(each);
        return;
      }
      follow(facts, node);
      const result = isFoldable(node) ? resultOf(node, facts) : undefined;
      const name = node.output[0] ?? '';
      if (result !== undefined) {
        budget -= result.bytes.byteLength;
        facts.addConstant(name, result);
      }
      // Not every runtime accepts an initialiser as an output.
      if (result !== undefined && !outputs.has(name)) initializer.push(tensorProto(name, result));
      else nodes.push(mapBodies(node, (body) => folded(body, factsInBody(facts, body))));
    };
    for (const node of graph.node) visit(node);
    return graphWith(graph, { node: nodes, initializer, sparseInitializer });
  };

  return withGraph(model, folded(model.graph!, enforcedFacts(model)));
}

const isFoldable = (node: NodeProto): boolean =>
  isStandard(node, node.opType) && node.output.length === 1 && node.output[0] !== '';

/** Types whose elements inference follows. */
const isFollowed = (type: NumericType): boolean =>
  type === 'int64' || type === 'int32' || type === 'bool';

const isNumeric = (value: Tensor | undefined): value is NumericTensor =>
  value !== undefined && value.type !== 'string';

function evaluated(
  node: InferredNode,
  inputs: readonly NumericTensor[],
  shape: readonly number[],
): NumericTensor | undefined {
  try {
    return evaluate(node, inputs, shape);
  } catch (error) {
    if (error instanceof OnnxError) return undefined;
    throw error;
  }
}

/** The names that a node reads which cannot be computed before the model runs, or that are outputs. */
function namesReadAtRun(graph: GraphProto): ReadonlySet<string> {
  const computable = new Set<string>();
  const read = new Set<string>();
  const visit = (each: GraphProto) => {
    for (const { name } of each.initializer) computable.add(name);
    for (const node of each.node) {
      const folds = isFoldable(node) && canEvaluate(node.opType);
      if (folds && node.input.every((name) => computable.has(name)))
        computable.add(node.output[0]!);
      else for (const name of node.input) read.add(name);
      mapBodies(node, (body) => {
        visit(body);
        return body;
      });
    }
    for (const { name } of each.output) read.add(name);
  };
  visit(graph);
  return read;
}
