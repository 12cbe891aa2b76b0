/** Specialisation: the model that a device needs, from the model that an exporter wrote. */
import { checkModel } from '../model/check.ts';
import { domainName, withGraph, type Model } from '../model/model.ts';
import { unsupportedModel } from '../onnx-error.ts';
import { bindInputs, type Bindings } from './bind-inputs.ts';
import { removeDeadNodes } from './dead-nodes.ts';
import { distinctNames } from './distinct-names.ts';
import { dropInert } from './drop-inert.ts';
import { foldConstants } from './fold-constants.ts';
import { foldScaling } from './fold-scaling.ts';
import { fuseHardSwish } from './fuse-hard-swish.ts';
import { fuseLayerNorm } from './fuse-layer-norm.ts';
import { liftConstants } from './lift-constants.ts';
import { raiseOpset } from './opset/raise-opset.ts';

export interface SpecialiseOptions {
  /**
   * Values of inputs that never change, such as a sample rate; the result has no such inputs. A number
   * stands for an input of one element.
   */
  readonly bind?: Bindings;
  /**
   * Outputs keep every bit on ONNX Runtime: nothing is fused, and the operator set is raised to 13 at most. Default
   * false.
   */
  readonly exact?: boolean;
}

/** Has block-wise quantisation; every runtime since 2024 has it. */
const OPSET = 21;
/**
 * Has quantisation by channel. ONNX Runtime 1.30 rounds the text recogniser of the OCR example in
 * other places from opset 14 on, where more of its fusions apply, and AveragePool from 19 on.
 */
const EXACT_OPSET = 13;

/**
 * A smaller model with the same outputs: constants are initialisers and computed where possible, a
 * branch with a constant condition is the branch that is taken, and nodes and weights that no output
 * needs are removed. BatchNormalization, and what else scales or shifts channels, is folded into weights, and the nodes of HardSwish and of a layer normalisation
 * become one. The operator set is 21, or the model's own where that is newer. Inputs that are
 * not bound keep names, types and shapes, and so do outputs. The given model is not changed; weights are
 * shared with it.
 *
 * @throws OnnxError `invalid` for a model that `checkModel` refuses, a bound name that is not an
 *   input, or a value of another type or shape; `unsupported` for an operator set below 7, and naming
 *   a node that has no form in opset 21.
 */
export function specialise(model: Model, options: SpecialiseOptions = {}): Model {
  const { bind = {}, exact = false } = options;
  checkModel(model);
  refuseOwnOperators(model);
  const bound = liftConstants(distinctNames(bindInputs(withGraph(model, {}), bind)));
  // Twice: a weight that only an untaken branch reads as it is can be rearranged once that is gone.
  const folded = removeDeadNodes(foldConstants(removeDeadNodes(foldConstants(bound))));
  const taken = dropInert(folded);
  const raised = liftConstants(raiseOpset(taken, exact ? EXACT_OPSET : OPSET));
  const passes = exact ? [] : [foldScaling, fuseHardSwish, fuseLayerNorm];
  const fused = passes.reduce((result, pass) => pass(result), raised);
  // Only training reads it.
  return Object.assign(removeDeadNodes(fused), { trainingInfo: [] });
}

/** A function in the place of a standard operator computes something else than the passes assume. */
function refuseOwnOperators(model: Model): void {
  const own = model.functions.find(({ domain }) => domainName(domain) === 'ai.onnx');
  if (own === undefined) return;
  throw unsupportedModel(
    `The model defines the operator '${own.name}' of ai.onnx itself. Export it without functions.`,
  );
}
