/**
 * Raises the operator set of a model: each node whose operator changed is adapted, one operator set
 * after the other. Bit-exact on ONNX Runtime.
 */
import { create } from '@bufbuild/protobuf';
import {
  FunctionProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
  type FunctionProto,
  type GraphProto,
  type NodeProto,
  type OperatorSetIdProto,
} from 'onnx-buf';
import { Inference } from '../../infer/inference.ts';
import { domainName, graphWith, opsetOf, type Model } from '../../model/model.ts';
import { isStandard, titleOf } from '../../model/node-view.ts';
import { unsupportedModel } from '../../onnx-error.ts';
import { whyAbsent } from '../../opsets.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { FreshNames, graphsIn, mapBodies } from '../bodies.ts';
import { factsInBody, follow, statedFacts } from '../facts.ts';
import { Adaptation, type Surroundings } from './adaptation.ts';
import { adapterOf, changes } from './adapters.ts';

/** Operators broadcast by an attribute before it. */
const OLDEST = 7;
/** The newest operator set whose changes `adapters.ts` has. */
const NEWEST = 21;

/** The least IR version of an operator set, from the release notes of ONNX. */
const IR_VERSIONS = [
  { opset: 21, irVersion: 10n },
  { opset: 19, irVersion: 9n },
  { opset: 15, irVersion: 8n },
  { opset: 12, irVersion: 7n },
  { opset: 11, irVersion: 6n },
  { opset: 10, irVersion: 5n },
  { opset: 9, irVersion: 4n },
] as const;

/**
 * The same model in that operator set of ai.onnx; the given one where it has a newer one, or none. New
 * values are made by Constant nodes.
 *
 * @param model of distinct names, see `distinctNames`.
 * @param target 8 to 21.
 * @throws OnnxError `unsupported` naming a node that has no form in that operator set, and for a
 *   model below opset 7.
 */
export function raiseOpset(model: Model, target: number): Model {
  if (target > NEWEST)
    throw new RangeError(`Opset ${target} is beyond ${NEWEST}, the newest known.`);
  const opset = opsetOf(model);
  if (opset === undefined || opset >= target) return model;
  requireOldest(opset);
  const graph = model.graph!;
  const all = [...graphsIn(graph)];
  const reads = new Set(
    all.flatMap((each) => [
      ...each.node.flatMap(({ input }) => input),
      ...each.output.map(({ name }) => name),
    ]),
  );
  const names = FreshNames.avoiding(graph);
  const raising = new Raising(opset, { names, reads, target });
  const irVersion = IR_VERSIONS.find((each) => target >= each.opset)?.irVersion ?? 3n;
  return Object.assign(create(ModelProtoSchema), model, {
    irVersion: model.irVersion > irVersion ? model.irVersion : irVersion,
    opsetImport: importing(model.opsetImport, target),
    graph: raising.graph(graph, statedFacts(model)),
    functions: model.functions.map((each) => raisedFunction(each, target)),
  });
}

function requireOldest(opset: number): void {
  if (opset >= OLDEST) return;
  throw unsupportedModel(
    `The model uses opset ${opset} of ai.onnx; the oldest that can be raised is ${OLDEST}. Export it with a newer opset.`,
  );
}

function importing(imports: readonly OperatorSetIdProto[], version: number): OperatorSetIdProto[] {
  return imports.map((each) =>
    domainName(each.domain) === 'ai.onnx'
      ? create(OperatorSetIdProtoSchema, { domain: each.domain, version: BigInt(version) })
      : each,
  );
}

class Raising {
  readonly #opset: number;
  readonly #at: Omit<Surroundings, 'facts'>;
  readonly #constants = new Map<string, Tensor>();

  constructor(opset: number, at: Omit<Surroundings, 'facts'>) {
    this.#opset = opset;
    this.#at = at;
  }

  graph(graph: GraphProto, facts: Inference): GraphProto {
    return graphWith(graph, { node: this.nodes(graph.node, facts) });
  }

  nodes(nodes: readonly NodeProto[], facts: Inference): NodeProto[] {
    return nodes.flatMap((node) => {
      const raised = this.#raised(node, facts);
      follow(facts, node);
      return raised.map((each) =>
        mapBodies(each, (body) => this.graph(body, factsInBody(facts, body))),
      );
    });
  }

  #raised(node: NodeProto, facts: Inference): readonly NodeProto[] {
    const { target } = this.#at;
    if (!isStandard(node, node.opType)) return [node];
    if (!changes(node.opType, this.#opset, target)) {
      requirePresent(node, target);
      return [node];
    }
    if (node.attribute.some(isReference)) {
      throw unsupportedModel(
        `${titleOf(node)} takes an attribute of its function and changed after opset ${this.#opset}. Export the model without functions.`,
      );
    }
    let nodes: readonly NodeProto[] = [node];
    for (let version = this.#opset + 1; version <= target; version++) {
      nodes = nodes.flatMap((each) => {
        const adapter = adapterOf(each.opType, version);
        if (adapter === undefined) return [each];
        const adaptation = new Adaptation(each, version, { ...this.#at, facts }, this.#constants);
        adapter(adaptation);
        return adaptation.written;
      });
    }
    for (const each of nodes) requirePresent(each, target);
    return nodes;
  }
}

const isReference = ({ refAttrName }: { readonly refAttrName: string }): boolean =>
  refAttrName !== '';

/** Some operators were withdrawn without another in their place. */
function requirePresent(node: NodeProto, target: number): void {
  const absence = whyAbsent(node.domain, node.opType, target);
  if (absence !== undefined) throw unsupportedModel(`${titleOf(node)} ${absence}.`);
}

function raisedFunction(definition: FunctionProto, target: number): FunctionProto {
  const found = definition.opsetImport.find(({ domain }) => domainName(domain) === 'ai.onnx');
  const opset = found === undefined ? target : Number(found.version);
  if (opset >= target) return definition;
  requireOldest(opset);
  const { node, input, output } = definition;
  const names = new FreshNames([...input, ...node.flatMap((each) => each.output)]);
  const reads = new Set([...node.flatMap((each) => each.input), ...output]);
  const raising = new Raising(opset, { names, reads, target });
  return Object.assign(create(FunctionProtoSchema), definition, {
    node: raising.nodes(node, new Inference(opset)),
    opsetImport: importing(definition.opsetImport, target),
  });
}
