/**
 * An optimiser is a few standard ONNX nodes per parameter, written into the graph that
 * computes the gradient. One `run()` is then one training step on every backend, and a schedule
 * costs nothing because the learning rate is an input of the graph.
 *
 * State is kept in the form that takes the fewest passes over memory, which is what an update costs:
 * an average is stored undivided, as `m / (1 − β)`, so that keeping it takes one multiplication less.
 */
export interface Optimiser {
  readonly name: string;
  /** Options that it was made with, for the record of a run: two with the same name and options do the same. */
  readonly options?: Readonly<Record<string, number | boolean>>;
  /** Names of the tensors kept for each parameter, of its shape and zero before the first step. */
  readonly slots: readonly string[];
  /** Whether the rule depends on the number of the step, which is then kept as one more tensor. */
  readonly counts: boolean;
  /** Whether the update is exactly `p − ηg`. */
  readonly linear?: boolean;
  /** Writes the nodes that all parameters share, once; the rule writes one parameter's update. */
  begin(graph: UpdateGraph): UpdateRule;
}

/** @returns the name of the new parameter and of its new state, in the order of `slots`. */
export type UpdateRule = (
  parameter: string,
  gradient: string,
  state: readonly string[],
) => { readonly parameter: string; readonly state: readonly string[] };

/** Where an optimiser writes its nodes. Everything but `double`'s results has the parameters' element type. */
export interface UpdateGraph {
  /** The learning rate of this step, a scalar. */
  readonly learningRate: string;
  /** The number of this step as a float64 scalar, 1 at the first; only for an optimiser that counts. */
  readonly stepNumber: string;
  /** Adds a node; returns its output's name. */
  readonly emit: (operator: string, ...inputs: string[]) => string;
  /** Adds a reduction over all elements; returns the scalar's name. */
  readonly reduce: (operator: string, input: string) => string;
  /** A constant scalar. */
  readonly scalar: (value: number) => string;
  /** A constant float64 scalar, for values that must not be rounded to float32. */
  readonly double: (value: number) => string;
  /** Converts a float64 scalar to the parameters' type. */
  readonly narrow: (double: string) => string;
}

/** @throws RangeError naming the option, when it is not a number in [least, below). */
export function requireRange(option: string, value: number, least: number, below: number): void {
  if (value >= least && value < below) return;
  const range = below === Infinity ? `at least ${least}` : `in [${least}, ${below})`;
  throw new RangeError(`${option} must be ${range}, but is ${value}.`);
}

/** The gradient of the loss with the L2 penalty `decay / 2 · ‖p‖²` added. */
export function withDecay(
  graph: UpdateGraph,
  parameter: string,
  gradient: string,
  decay: number,
): string {
  if (decay === 0) return gradient;
  return graph.emit('Add', gradient, graph.emit('Mul', parameter, graph.scalar(decay)));
}

/** Shrinks the parameter itself by `learningRate · decay`, apart from its gradient. */
export function shrunk(graph: UpdateGraph, decay: number): (parameter: string) => string {
  if (decay === 0) return (parameter) => parameter;
  const rest = graph.emit(
    'Sub',
    graph.scalar(1),
    graph.emit('Mul', graph.learningRate, graph.scalar(decay)),
  );
  return (parameter) => graph.emit('Mul', parameter, rest);
}
