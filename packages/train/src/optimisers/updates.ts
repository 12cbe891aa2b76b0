/**
 * Writes an optimiser into a graph: parameters, state and learning rate come in as inputs, and leave
 * as outputs of the same shapes under names with `next/` before them.
 *
 * Old and new values have different names on purpose: the caller owns both, and a failed step is
 * undone by ignoring its results.
 */
import { elementTypeNumber, tensor, type GraphBuilder } from '@skein/onnx';
import { clipGradients, type Clipping } from './clip.ts';
import type { Optimiser, UpdateGraph, UpdateRule } from './optimiser.ts';

/** A tensor that a step takes under its name, and returns under `next/` and its name. */
export interface Kept {
  readonly name: string;
  readonly type: FloatType;
  readonly shape: readonly number[];
}

/** Element types that parameters may have. */
export type FloatType = 'float32' | 'float64';

export interface Slope {
  readonly parameter: Kept;
  /** Name of its gradient in the graph. */
  readonly gradient: string;
}

export const LEARNING_RATE = 'learning_rate';
export const STEP = 'step';

/** Name of the output that replaces an input. */
export function nextOf(name: string): string {
  return `next/${name}`;
}

/** Name of a parameter's state. */
export function stateOf(optimiser: string, slot: string, parameter: string): string {
  return `${optimiser}.${slot}/${parameter}`;
}

export interface UpdateOptions {
  readonly clip?: Clipping | undefined;
  /** The gradients are those times −η already, and the learning rate is an input already; for a linear optimiser. */
  readonly lean?: boolean;
}

/**
 * Adds the updates of all parameters to the graph, with its inputs `learning_rate` (a scalar of the
 * parameters' type), the state, and (declared by the caller) the parameters.
 *
 * @returns the state that the optimiser keeps, zero before the first step.
 * @throws RangeError when clipping or an option is out of its range.
 */
export function emitUpdates(
  graph: GraphBuilder,
  slopes: readonly Slope[],
  optimiser: Optimiser,
  { clip, lean = false }: UpdateOptions = {},
): readonly Kept[] {
  const type = slopes[0]?.parameter.type ?? 'float32';
  const states: Kept[] = [];
  const keep = (name: string, type: FloatType, shape: readonly number[]) => {
    states.push({ name, type, shape });
    return graph.input(name, type, shape);
  };
  const outputs = new Map<string, string>();
  const returns = (computed: string, name: string, type: FloatType, shape: readonly number[]) => {
    outputs.set(computed, graph.output(nextOf(name), type, shape));
  };
  const writer = updateGraph(graph, type);
  const rate = lean ? LEARNING_RATE : graph.input(LEARNING_RATE, type, []);
  let number = '';
  if (optimiser.counts) {
    keep(STEP, 'float64', []);
    number = writer.emit('Add', STEP, writer.double(1));
    returns(number, STEP, 'float64', []);
  }
  const shared: UpdateGraph = { ...writer, learningRate: rate, stepNumber: number };
  const rule = lean ? sumRule(shared) : optimiser.begin(shared);
  const raw = slopes.map(({ gradient }) => gradient);
  const gradients = clip === undefined ? raw : clipGradients(shared, raw, clip);
  slopes.forEach(({ parameter }, i) => {
    const { name, shape } = parameter;
    const slots = optimiser.slots.map((slot) => stateOf(optimiser.name, slot, name));
    for (const slot of slots) keep(slot, type, shape);
    const updated = rule(name, gradients[i]!, slots);
    returns(updated.parameter, name, type, shape);
    slots.forEach((slot, s) => returns(updated.state[s]!, slot, type, shape));
  });
  rename(graph.graph().node, outputs);
  return states;
}

/**
 * `Sum`, not `Add`: ONNX Runtime fuses a sum with the matrix product before it, but not an
 * addition.
 */
function sumRule({ emit }: UpdateGraph): UpdateRule {
  return (parameter, step) => ({ parameter: emit('Sum', step, parameter), state: [] });
}

/** Gives nodes' outputs the names under which they leave: an `Identity` would copy them. */
function rename(
  nodes: ReturnType<GraphBuilder['graph']>['node'],
  names: ReadonlyMap<string, string>,
) {
  const renamed = (name: string) => names.get(name) ?? name;
  for (const node of nodes) {
    node.input = node.input.map(renamed);
    node.output = node.output.map(renamed);
  }
}

type Writer = Omit<UpdateGraph, 'learningRate' | 'stepNumber'>;

function updateGraph(graph: GraphBuilder, type: FloatType): Writer {
  let names = 0;
  const constants = new Map<string, string>();
  const add = (operator: string, inputs: readonly string[], attributes = {}) => {
    const name = `update/${operator}_${names++}`;
    return graph.node(operator, inputs, attributes, { name })[0];
  };
  const constant = (value: number, type: FloatType) => {
    const key = `${type} ${value}`;
    let name = constants.get(key);
    if (name === undefined) {
      const array = type === 'float64' ? new Float64Array([value]) : new Float32Array([value]);
      name = graph.initializer(`update/constant_${constants.size}`, tensor(type, [], array));
      constants.set(key, name);
    }
    return name;
  };
  return {
    emit: (operator, ...inputs) => add(operator, inputs),
    reduce: (operator, input) => add(operator, [input], { keepdims: 0 }),
    scalar: (value) => constant(value, type),
    double: (value) => constant(value, 'float64'),
    narrow: (double) => {
      if (type === 'float64') return double;
      return add('Cast', [double], { to: elementTypeNumber(type) });
    },
  };
}
