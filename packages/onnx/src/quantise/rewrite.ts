/**
 * Writes a model in the forms of a plan, in standard operators. The given model is not changed.
 *
 * Values keep their names: a value that becomes integers is made under `NAME/raw`, stored as
 * `NAME/stored`, and restored as `NAME`, so that its readers need no change.
 */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { opsetOf, type Model } from '../model/model.ts';
import { unsupportedModel } from '../onnx-error.ts';
import { nodeProto, tensorOf } from '../model/protos.ts';
import { tensor, values } from '../tensor/tensor.ts';
import { activationGrid, requireFinite, type Grid, type Range } from './grid.ts';
import { GraphEdit } from './graph-edit.ts';
import { blockProduct, DEFAULT_BLOCK, storedBlocks } from './forms/block-wise.ts';
import { dynamic } from './forms/dynamic.ts';
import { integerLayer } from './forms/static.ts';
import { StoredWeights } from './forms/stored.ts';
import { gridFits, keptGrid, type KeptGrid } from './kept-grid.ts';
import { layersOf, type Layer } from './layers.ts';
import { permits, type Form, type Plan } from './plan.ts';
import { regionOf } from './region.ts';

export interface RewriteOptions {
  /** Ranges of the values of `valuesToCalibrate`; needed by the form `static` alone. */
  readonly ranges?: ReadonlyMap<string, Range>;
  /** 7 where a processor would saturate, see `saturates`. Default 8. */
  readonly weightBits?: 7 | 8;
  /** Weights of a block: a power of two from 16. Default 32. */
  readonly block?: number;
  /** Numbers to add to the bias of a static layer, by its name: see `biasShifts`. */
  readonly shifts?: ReadonlyMap<string, Float32Array>;
  /** An earlier version, quantised: its grids are kept where they fit, except grids of blocks. */
  readonly keep?: Model | undefined;
}

const LEAST_OPSET: Readonly<Record<Form, number>> = {
  float: 1,
  static: 13,
  dynamic: 11,
  stored8: 9,
  stored4: 21,
  block8: 21,
  block4: 21,
};

/**
 * @throws OnnxError `unsupported` when the model's operator set is too old for a form; `invalid` for
 *   weights that are not finite.
 */
export function quantise(model: Model, plan: Plan, options: RewriteOptions = {}): Model {
  const { ranges = new Map<string, Range>(), weightBits = 8, block = DEFAULT_BLOCK } = options;
  const layers = layersOf(model);
  requireFit(model, layers, plan);
  const region = regionOf(model, layers, plan);
  const edit = new GraphEdit(model);
  const kept = options.keep && keptGrid(options.keep);
  const weights = new StoredWeights(edit, weightBits, kept);
  const byNode = new Map(layers.map((layer) => [layer.node, layer]));
  const biases = biasesOf(model);
  const grids = gridsOf(edit, region.sharedGrid, ranges, kept);
  /** Stored and restored copies of values that float nodes read as they were. */
  const restored = new Map<string, string>();
  const store = (value: string, from: string, into: string): string => {
    const { scale, zero } = grids(value);
    const stored = edit.node('QuantizeLinear', [from, scale, zero], `${value}/stored`);
    const name = edit.unused(`${value}/restore`);
    edit.keep(nodeProto('DequantizeLinear', name, [stored, scale, zero], [into], {}));
    return into;
  };
  for (const { name } of model.graph!.input) {
    if (region.values.has(name))
      restored.set(name, store(name, name, edit.unused(`${name}/restored`)));
  }
  for (const node of model.graph!.node) {
    const layer = byNode.get(node);
    const integers = region.readers.get(node) ?? [];
    const own = withNames(
      node,
      node.input.map((name, at) => (integers.includes(at) ? (restored.get(name) ?? name) : name)),
      node.output.map((name) =>
        region.values.has(name) && region.made.has(name) ? edit.unused(`${name}/raw`) : name,
      ),
    );
    const form = layer === undefined ? 'float' : formOf(layer, plan);
    if (layer === undefined || form === 'float') edit.keep(own);
    else if (form === 'static') {
      // A layer whose input is a constant has no range.
      if (integers.length === 0) weights.store(own, layer);
      else {
        const { grid } = grids(node.input[0]!);
        integerLayer(
          edit,
          weights,
          own,
          layer,
          grid,
          biases(layer, options.shifts?.get(layer.name)),
        );
      }
    } else if (form === 'dynamic') dynamic(edit, weights, own, layer);
    else if (form === 'stored8') weights.store(own, layer);
    else if (form === 'stored4') storedBlocks(edit, own, layer, 4, block);
    else blockProduct(edit, own, layer, form === 'block4' ? 4 : 8, block);
    node.output.forEach((name, at) => {
      if (!region.values.has(name)) return;
      if (own.output[at] !== name) store(name, own.output[at]!, name);
      else restored.set(name, store(name, name, edit.unused(`${name}/restored`)));
    });
  }
  return edit.done();
}

/** Values whose ranges a plan needs, in the order of the graph. */
export function valuesToCalibrate(model: Model, plan: Plan): readonly string[] {
  const { values, sharedGrid } = regionOf(model, layersOf(model), plan);
  return [...values].filter((name) => !sharedGrid.has(name)).toReversed();
}

/** A grid, and the names of its constants. */
interface StoredGrid {
  readonly grid: Grid;
  readonly scale: string;
  readonly zero: string;
}

function formOf(layer: Layer, plan: Plan): Form {
  const form = plan.get(layer.name) ?? 'float';
  return permits(layer, form) ? form : 'float';
}

function gridsOf(
  edit: GraphEdit,
  shared: ReadonlyMap<string, string>,
  ranges: ReadonlyMap<string, Range>,
  kept: KeptGrid | undefined,
): (value: string) => StoredGrid {
  const made = new Map<string, StoredGrid>();
  return (value) => {
    let source = value;
    for (let next = shared.get(source); next !== undefined; next = shared.get(source))
      source = next;
    const found = made.get(source);
    if (found !== undefined) return found;
    const range = ranges.get(source);
    if (range === undefined) {
      throw new RangeError(`The range of '${source}' was not measured.`);
    }
    const before = kept?.activation(source);
    const grid = before !== undefined && gridFits(before, range) ? before : activationGrid(range);
    const scale = edit.constant(
      `${source}/scale`,
      tensor('float32', [], Float32Array.of(grid.scale)),
    );
    const zero = edit.constant(`${source}/zero`, tensor('uint8', [], Uint8Array.of(grid.zero)));
    const result = { scale, zero, grid };
    made.set(source, result);
    return result;
  };
}

/** The bias of a layer, where it is a constant with a number for each output channel. */
function biasesOf(
  model: Model,
): (layer: Layer, shift: Float32Array | undefined) => Float32Array | undefined {
  const stored = new Map(model.graph!.initializer.map((each) => [each.name, each]));
  return ({ node, weights: [weights] }, shift) => {
    const channels = weights!.shape[weights!.axis]!;
    const name = node.input[2] ?? '';
    if (name === '') return shift;
    const proto = stored.get(name);
    const value = proto && tensorOf(proto);
    if (value?.type !== 'float32' || value.shape.length !== 1 || value.shape[0] !== channels) {
      return undefined;
    }
    const numbers = values(value) as Float32Array;
    requireFinite(name, numbers);
    return shift === undefined ? numbers : numbers.map((each, at) => each + shift[at]!);
  };
}

function withNames(node: NodeProto, input: string[], output: string[]): NodeProto {
  return Object.assign(create(NodeProtoSchema), node, { input, output });
}

/** @throws OnnxError */
function requireFit(model: Model, layers: readonly Layer[], plan: Plan): void {
  const opset = opsetOf(model) ?? 1;
  for (const layer of layers) {
    const form = formOf(layer, plan);
    if (form === 'float') continue;
    for (const { name, numbers } of layer.weights) requireFinite(name, numbers);
    if (opset >= LEAST_OPSET[form]) continue;
    throw unsupportedModel(
      `The model uses opset ${opset}; the form ${form} of '${layer.name}' needs opset ${LEAST_OPSET[form]}. Export it with that or a newer one.`,
    );
  }
}
